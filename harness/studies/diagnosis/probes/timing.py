"""Where in a clip detection rests."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from sealproof.harness.statistics.estimation.estimate import estimate_mean
from sealproof.harness.studies.diagnosis.finding import Curve, Finding
from sealproof.harness.studies.diagnosis.material import Material, rms

N_WINDOWS = 10
_FRAMES = 50
"""Parts of a clip whose loudness is told apart: 20 ms of a second."""


def timing(material: Material) -> Iterator[Finding | Curve]:
    """The mark lost or alone in one of ten windows, the sound silenced there, and frames by loudness and place."""
    host, mark = material.judged_host, material.judged_mark
    edges = np.linspace(0, material.n_samples, N_WINDOWS + 1).astype(int)
    centres = (edges[:-1] + edges[1:]) / 2 / material.n_samples
    inside = [(np.arange(material.n_samples) >= a) & (np.arange(material.n_samples) < b) for a, b in pairwise(edges)]
    cases = {
        "without": ("marked clips flagged with the mark put back to clean in the worst tenth of the clip", min),
        "silenced": ("marked clips flagged with the worst tenth of the clip silenced", min),
        "only": ("clips flagged with the mark in the best tenth of the clip alone", max),
    }
    for case, (meaning, pick) in cases.items():
        rates = []
        for window in inside:
            audio = {
                "without": host + mark * ~window,
                "silenced": (host + mark) * ~window,
                "only": host + mark * window,
            }[case]
            rates.append(material.rate(material.ear.flags(audio.astype(np.float32))))
        chosen = pick(range(N_WINDOWS), key=lambda at: rates[at].value)
        yield Finding.of(f"timing.{case}_tenth", meaning, "share", rates[chosen], f"tenth {chosen + 1}")
        yield Curve(f"{case} a tenth", "place", centres, [rate.value for rate in rates], material.n)
    yield from _frames(material)


def _frames(material: Material) -> Iterator[Finding | Curve]:
    """Frames of detectors that have them: is the mark seen where the clip is loud, and where in the clip?"""
    if not material.ear.has_frames:
        return
    frames = material.ear.detect(material.judged_host + material.judged_mark).frames
    if frames is None or frames.shape[1] < _FRAMES:
        return
    usable = frames.shape[1] // _FRAMES * _FRAMES
    seen = frames[:, :usable].reshape(material.n, _FRAMES, -1).mean(axis=2, dtype=np.float64)
    cut = material.n_samples // _FRAMES * _FRAMES
    loudness = rms(material.judged_host[:, :cut].reshape(material.n, _FRAMES, -1))[..., 0]
    order = np.argsort(loudness, axis=1)
    quarter = _FRAMES // 4
    for name, chosen in (("quietest", order[:, :quarter]), ("loudest", order[:, -quarter:])):
        values = np.take_along_axis(seen, chosen, axis=1).mean(axis=1)
        estimate = estimate_mean(values, material.judged, (0.0, 1.0))
        meaning = f"mean P(marked) of frames in the {name} quarter of each marked clip"
        yield Finding.of(f"timing.frames_{name}", meaning, "probability", estimate)
    yield Curve("P(marked) by place", "place", (np.arange(_FRAMES) + 0.5) / _FRAMES, seen.mean(axis=0), material.n)
