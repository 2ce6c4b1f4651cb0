"""Where the mark's energy lies, and what of it says the message."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.foundation.audio.files import SAMPLE_RATE
from sealproof.harness.statistics.estimation.estimate import estimate_median
from sealproof.harness.statistics.estimation.vectors import Floats
from sealproof.harness.studies.diagnosis.finding import Curve, Finding
from sealproof.harness.studies.diagnosis.material import Material, unit_energy

_N_BINS = 20
"""Largest bins of a mark whose phase is followed."""
_N_MESSAGES = 16
_N_CLIPS = 8


def spectrum(material: Material) -> Iterator[Finding | Curve]:
    """Concentration over bins, DC, phase against message and host, and what changes with the message."""
    unit, kept = unit_energy(material.judged_mark)
    if not len(kept):
        return
    power = _power(unit)
    clips = material.resamples.of_clips(kept)
    bin_hz = SAMPLE_RATE / material.n_samples
    # DC is asked about by itself.
    largest = estimate_median(power[:, 1:].max(axis=1), clips)
    common = np.bincount(1 + power[:, 1:].argmax(axis=1), minlength=power.shape[1])
    at = f"most often at {common.argmax() * bin_hz:,.0f} Hz ({common.max()} of {len(kept)} clips)"
    meaning = f"largest {bin_hz:g}-Hz bin, share of the mark's energy (median clip)"
    yield Finding.of("spectrum.largest_bin", meaning, "share", largest, at)
    mean = power.mean(axis=0)
    common_bin = 1 + int(mean[1:].argmax())
    peak = power[:, common_bin]
    meaning = "largest bin of the mean spectrum, share of the mark's energy (median clip)"
    where = f"{common_bin * bin_hz:,.0f} Hz"
    yield Finding.of("spectrum.common_bin", meaning, "share", estimate_median(peak, clips), where)
    dc = estimate_median(power[:, 0], clips)
    yield Finding.of("spectrum.dc", "DC, share of the mark's energy (median clip)", "share", dc)
    low = estimate_median(power[:, : math.ceil(20 / bin_hz)].sum(axis=1), clips)
    yield Finding.of("spectrum.below_20hz", "below 20 Hz, share of the mark's energy (median clip)", "share", low)
    # Effective number of bins: 1 for a tone, all of them for white noise.
    spread = estimate_median(1 / (power**2).sum(axis=1), clips)
    yield Finding.of("spectrum.effective_bins", f"effective number of {bin_hz:g}-Hz bins (median clip)", "bins", spread)
    bands = np.arange(0, SAMPLE_RATE / 2, 50)
    in_band = np.add.reduceat(mean, (bands / bin_hz).astype(int))
    hosts = _power(unit_energy(material.judged_host[kept])[0]).mean(axis=0)
    of_host = np.add.reduceat(hosts, (bands / bin_hz).astype(int))
    yield Curve("energy of the mark", "hz", bands + 25, in_band, len(kept))
    yield Curve("energy of the host", "hz", bands + 25, of_host, len(kept))
    yield from _phases(material, common_bin)


def _power(
    unit: Floats,
) -> Floats:
    """Share of each bin in the energy of each clip, shape (n, bins)."""
    power = np.abs(np.fft.rfft(unit)) ** 2
    power[:, 1 : (unit.shape[1] + 1) // 2] *= 2
    return np.asarray(power / power.sum(axis=1, keepdims=True))


def _phases(material: Material, common_bin: int) -> Iterator[Finding]:
    if material.mark_same is None:
        unit, kept = unit_energy(material.mark)
        fixed = _resultant(np.fft.rfft(unit)[:, common_bin, None])
        yield Finding.bare(
            "spectrum.phase_by_host",
            "phase of the common bin over clips: 1 is fixed on the sample grid",
            "r",
            float(fixed[0]),
            f"chance {0.886 / math.sqrt(len(kept)):.2f}",
        )
        return
    rng = material.rng("messages of one clip")
    n_clips = min(_N_CLIPS, material.n)
    messages = rng.integers(0, 2, (n_clips, _N_MESSAGES, material.messages.shape[1]), dtype=np.uint8)
    host = np.repeat(material.judged_host[:n_clips], _N_MESSAGES, axis=0)
    marks = (material.embed(host, messages.reshape(len(host), -1)) - host).reshape(n_clips, _N_MESSAGES, -1)
    spectra = np.fft.rfft(marks)[..., 1:]
    energy = (np.abs(spectra) ** 2).mean(axis=1)
    top = np.argsort(energy, axis=1)[:, -_N_BINS:]
    steady = [_resultant(spectra[clip][:, top[clip]]) for clip in range(n_clips)]
    chance = f"chance {0.886 / math.sqrt(_N_MESSAGES):.2f}"
    yield Finding.bare(
        "spectrum.phase_by_message",
        f"phase of the {_N_BINS} largest bins over {_N_MESSAGES} messages: 1 says nothing of the message (median)",
        "r",
        float(np.median(steady)),
        chance,
    )
    total = float((np.abs(spectra) ** 2).sum())
    varying = (
        float((np.abs(spectra - spectra.mean(axis=1, keepdims=True)) ** 2).sum()) * _N_MESSAGES / (_N_MESSAGES - 1)
    )
    yield Finding.bare(
        "spectrum.message_share", "share of the mark's energy that changes with the message", "share", varying / total
    )
    same, kept = unit_energy(material.mark_same)
    fixed = _resultant(np.fft.rfft(same)[:, common_bin, None])
    yield Finding.bare(
        "spectrum.phase_by_host",
        "phase of the common bin over clips, one message: 1 is fixed on the sample grid",
        "r",
        float(fixed[0]),
        f"chance {0.886 / math.sqrt(len(kept)):.2f}",
    )


def _resultant(
    values: NDArray[np.complex128],
) -> Floats:
    """Length of the mean of unit vectors, along the first axis: 1 where all phases are equal."""
    return np.asarray(np.abs(np.mean(np.exp(1j * np.angle(values)), axis=0)))
