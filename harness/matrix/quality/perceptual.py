"""Quality of attacked audio by models of hearing: slow, from packages of the extra `quality`, and only when asked for.

Every measure takes a clip before and after an attack, aligned sample by sample, and returns one number, or NaN where it
is not defined. They take 5 to 50 ms a clip, so a run measures at most `N_PAIRS` pairs of a cell, dealt out over the
recordings.
"""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from sealproof.detectors.base import Audio
from sealproof.harness.foundation.errors import HarnessError

N_PAIRS = 32
"""Pairs of a cell that are measured, at most: a cell of 32 pairs takes PESQ about three seconds."""

_PESQ_RATE, _ZIMTOHRLI_RATE = 16_000, 48_000
"""In Hz; clips of another rate are resampled."""

_PESQ_MIN_S = 0.25

_STOI_UNDEFINED = 1e-5
"""What pystoi returns, with a warning, for a clip that holds less than 384 ms of sound."""

_Clip = NDArray[np.float32]


def pesq(before: _Clip, after: _Clip, sample_rate: int) -> float:
    """Wide-band PESQ: the opinion score that listeners of speech would give the attacked clip, as MOS-LQO.

    1.04 to 4.64, higher is better. A model of telephone speech: of music it says little. (ITU-T P.862.2, 2007.)

    Args:
        before: (samples,) float32.
        after: (samples,) float32.
        sample_rate: In Hz; other clips than those of 16 kHz are resampled.

    Returns:
        The score; NaN where either clip is silent, shorter than 0.25 s, or holds nothing that PESQ takes for speech.
    """
    import pesq as package

    x, y = _resampled(before, sample_rate, _PESQ_RATE), _resampled(after, sample_rate, _PESQ_RATE)
    if len(x) < _PESQ_MIN_S * _PESQ_RATE or not (x.any() and y.any()):
        return math.nan
    try:
        return float(package.pesq(_PESQ_RATE, x, y, "wb"))
    except package.NoUtterancesError:
        return math.nan


def stoi(before: _Clip, after: _Clip, sample_rate: int) -> float:
    """Short-time objective intelligibility: how much of speech in the attacked clip would still be understood.

    About 0 to 1, higher is better: the mean correlation of the envelopes in third-octave bands over 384 ms. A model of
    speech. (Taal, Hendriks, Heusdens and Jensen 2011, IEEE TASLP 19.)

    Args:
        before: (samples,) float32.
        after: (samples,) float32.
        sample_rate: In Hz.

    Returns:
        The score; NaN where either clip is silent, or holds less than 384 ms of sound.
    """
    from pystoi import stoi as score

    if not (before.any() and after.any()):
        return math.nan
    # Not `catch_warnings`, which is no good in threads; the returned value says the same.
    warnings.filterwarnings("ignore", "Not enough STFT frames", RuntimeWarning)
    value = float(score(before.astype(np.float64), after.astype(np.float64), sample_rate))
    return math.nan if value == _STOI_UNDEFINED else value


def zimtohrli(before: _Clip, after: _Clip, sample_rate: int) -> float:
    """Zimtohrli's opinion score: how listeners would rate the attacked audio beside the original, music included.

    1 to 5, higher is better, 5 for no audible difference. (Alakuijala, Bruse, Boukortt et al. 2025, Zimtohrli: An
    Efficient Psychoacoustic Audio Similarity Metric, arXiv 2509.26133; the package's `mos_from_signals`.)

    Args:
        before: (samples,) float32.
        after: (samples,) float32.
        sample_rate: In Hz; other clips than those of 48 kHz are resampled.

    Returns:
        The score; NaN where the clip before is silent.
    """
    from zimtohrli import mos_from_signals

    if not before.any():
        return math.nan
    x, y = _resampled(before, sample_rate, _ZIMTOHRLI_RATE), _resampled(after, sample_rate, _ZIMTOHRLI_RATE)
    return float(mos_from_signals(x, y))


class QualityError(HarnessError):
    """A measure failed at clips that were attacked well: the cell that asks for it has failed."""


@dataclass(frozen=True)
class _Measure:
    package: str
    measure: Callable[[_Clip, _Clip, int], float]


_MEASURES: Mapping[str, _Measure] = {
    "pesq": _Measure("pesq", pesq),
    "stoi": _Measure("pystoi", stoi),
    "zimtohrli": _Measure("zimtohrli", zimtohrli),
}

PERCEPTUAL_METRICS = tuple(_MEASURES)
"""Names of what can be asked for."""


def perceptual_quality(metric: str, before: Audio, after: Audio, sample_rate: int) -> NDArray[np.float64]:
    """Measure one of `PERCEPTUAL_METRICS`, clip by clip: none of the packages takes a batch.

    Args:
        metric: Its name.
        before: (n, samples) float32.
        after: (n, samples) float32, aligned with it.
        sample_rate: In Hz.

    Returns:
        (n,) float64; NaN where it is not defined.

    Raises:
        QualityError: The metric's package failed, for whatever reason.
    """
    measure = _MEASURES[metric].measure
    try:
        return np.array([measure(x, y, sample_rate) for x, y in zip(before, after, strict=True)], dtype=np.float64)
    except Exception as error:
        raise QualityError(
            f"{metric} failed: {type(error).__name__}: {error}. Run without --quality {metric}."
        ) from error


def metric_version(metric: str) -> str:
    """Name everything that can change a value of one of `PERCEPTUAL_METRICS`: its package's version."""
    package = _MEASURES[metric].package
    return f"{package}-{version(package)}-soxr-{version('soxr')}"


def check_metrics(metrics: Sequence[str]) -> None:
    """Refuse metrics that do not exist, and those whose package is not installed or cannot be imported.

    Raises:
        HarnessError: A name is unknown, or its package is missing or broken; the message says what to install.
    """
    for name in metrics:
        if name not in _MEASURES:
            raise HarnessError(f"--quality must name some of {', '.join(_MEASURES)}, joined by commas. Got {name!r}.")
        reason = missing_package(name)
        if reason is not None:
            raise HarnessError(f"--quality {name} needs {reason}")
        package = _MEASURES[name].package
        try:
            import_module(package)
        except Exception as error:  # a broken package raises what it likes while it is imported
            raise HarnessError(
                f"--quality {name} needs the package {package}, which cannot be imported "
                f"({type(error).__name__}: {error}): pip install --force-reinstall 'sealproof[quality]'."
            ) from error


def missing_package(metric: str) -> str | None:
    """Name the package of one of `PERCEPTUAL_METRICS` where it is not installed, and what to do; None where it is."""
    package = _MEASURES[metric].package
    try:
        is_here = find_spec(package) is not None and bool(version(package))
    except PackageNotFoundError:
        is_here = False
    return None if is_here else f"the package {package}, which is not installed: pip install 'sealproof[quality]'."


def _resampled(clip: _Clip, rate: int, wanted: int) -> _Clip:
    if rate == wanted:
        return clip
    import soxr

    resampled: _Clip = soxr.resample(clip, rate, wanted).astype(np.float32, copy=False)
    return resampled
