"""What has a mark's shape and nothing else of it, added to clean clips."""

from collections.abc import Iterator

import numpy as np

from sealproof.detectors.base import Audio
from sealproof.harness.foundation.audio.files import SAMPLE_RATE
from sealproof.harness.studies.diagnosis import carriers
from sealproof.harness.studies.diagnosis.finding import Curve, Finding
from sealproof.harness.studies.diagnosis.material import Material

_MOVED_HZ = 50


def lookalikes(material: Material) -> Iterator[Finding | Curve]:
    """Clean clips flagged with their own mark once its phases, its time or its frequencies are not its own any more."""
    host, mark = material.judged_host, material.judged_mark
    made: dict[str, tuple[str, Audio]] = {
        "random_phases": ("noise of the mark's spectrum", _random_phases(material)),
        "shaped_noise": ("noise of the mark's level in time and frequency", _shaped_noise(material)),
        "backwards": ("the mark played backwards", mark[:, ::-1]),
        "moved_up": (f"the mark moved up by {_MOVED_HZ} Hz", _moved_up(mark)),
        "of_another": ("the mark of another clip", _of_another(material)),
    }
    for name, (words, sound) in made.items():
        flags = material.ear.flags(np.asarray(host + sound, np.float32))
        yield Finding.of(f"lookalikes.{name}", f"clean clips flagged with {words}", "share", material.rate(flags))


def _random_phases(material: Material) -> Audio:
    made = carriers.with_random_phases(material.judged_mark.astype(np.float64), material.rng("random phases"))
    return made.astype(np.float32)


def _shaped_noise(material: Material) -> Audio:
    """White noise given the mark's magnitudes, 32 ms by 31 Hz, at the mark's level."""
    from scipy.signal import istft, stft

    mark = material.judged_mark
    noise = material.rng("shaped noise").standard_normal(mark.shape)
    shapes = {"fs": SAMPLE_RATE, "nperseg": 512, "noverlap": 384}
    wanted = np.abs(stft(mark, **shapes)[2])
    spectra = stft(noise, **shapes)[2]
    made = istft(wanted * spectra / np.maximum(np.abs(spectra), 1e-12), **shapes)[1][:, : mark.shape[1]]
    energy = np.linalg.norm(mark, axis=1, keepdims=True) / np.maximum(
        np.linalg.norm(made, axis=1, keepdims=True), 1e-12
    )
    return np.asarray(energy * made, np.float32)


def _moved_up(mark: Audio) -> Audio:
    from scipy.signal import hilbert

    time = np.arange(mark.shape[1]) / SAMPLE_RATE
    return np.asarray(np.real(hilbert(mark, axis=1) * np.exp(2j * np.pi * _MOVED_HZ * time)), np.float32)


def _of_another(material: Material) -> Audio:
    """The mark of a clip of another recording, at the level of the clip's own mark."""
    rng = material.rng("of another")
    made = np.empty_like(material.judged_mark)
    for clip, code in enumerate(material.codes[: material.n]):
        others = np.flatnonzero(material.codes != code)
        other = material.mark[rng.choice(others)]
        level = np.linalg.norm(material.judged_mark[clip]) / max(float(np.linalg.norm(other)), 1e-12)
        made[clip] = level * other
    return made
