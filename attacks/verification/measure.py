"""What an attack really did: measured from the clips before and after it, one number a clip.

Every function takes two batches (n, samples) and returns (n,). NaN means that the number does not exist for that clip,
never that it is zero.
"""

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.contract.base import Audio

Floats = NDArray[np.float64]


def snr_db(before: Audio, after: Audio) -> Floats:
    """Signal-to-noise ratio in dB: energy of the clip over energy of the change.

    10 log10(sum x^2 / sum (y - x)^2). It means something only where output sample i belongs to input sample i.

    Args:
        before: (n, samples).
        after: (n, samples), the same shape.

    Returns:
        (n,) float64: +inf where nothing changed, NaN where the clip before is silent.

    Raises:
        ValueError: If the shapes differ or are not (n, samples).
    """
    _check_batches(before, after, same_length=True)
    reference = before.astype(np.float64)
    return _ratio_db(_energy(reference), _energy(after - reference))


def level_change_db(before: Audio, after: Audio) -> Floats:
    """Change of the level in dB: RMS after over RMS before; the lengths may differ.

    Args:
        before: (n, samples).
        after: (n, samples').

    Returns:
        (n,) float64: -inf where the clip after is silent, NaN where the clip before is silent.

    Raises:
        ValueError: If the batches are not (n, samples) with equal n.
    """
    _check_batches(before, after, same_length=False)
    silent_before = _energy(before) == 0
    with np.errstate(divide="ignore", invalid="ignore"):
        change = 10 * np.log10((_energy(after) / after.shape[1]) / (_energy(before) / before.shape[1]))
    return np.where(silent_before, np.nan, change)


def lag_samples(before: Audio, after: Audio, max_lag: int) -> Floats:
    """Delay of the clip after, in samples: the lag of the highest normalised cross-correlation, of either sign.

    At each lag the correlation is divided by the energies of the two overlapping parts, so that a short overlap is not
    at a disadvantage. Of several lags with the same correlation (a periodic clip) the smallest in magnitude counts.

    Args:
        before: (n, samples).
        after: (n, samples), the same shape.
        max_lag: Largest lag tried in both directions, in samples; less than `samples`.

    Returns:
        (n,) float64, whole numbers: positive where the clip after is late; NaN where either clip is silent.

    Raises:
        ValueError: If the shapes differ or `max_lag` is not in [0, samples).
    """
    normalised = np.abs(_correlations(before, after, max_lag))
    lags = np.arange(-max_lag, max_lag + 1)
    tied = normalised >= normalised.max(axis=1, keepdims=True) - 1e-6
    best = np.where(tied, np.abs(lags), before.shape[1]).argmin(axis=1)
    return np.where(np.isnan(normalised[:, 0]), np.nan, lags[best].astype(np.float64))


def delay_and_correlation(before: Audio, after: Audio, max_lag: int) -> tuple[Floats, Floats]:
    """Delay of the clip after, and how alike the two are there: `lag_samples` with a rule for when not to judge.

    Half of the clip must overlap: a single pair of samples always correlates. Among the summits of the correlation that
    come within `_AMBIGUOUS` of the highest, the one nearest to zero counts: the others are periods of a steady tone.

    Args:
        before: (n, samples).
        after: (n, samples), the same shape.
        max_lag: Largest lag tried in both directions, in samples.

    Returns:
        The delay in samples and the normalised correlation, negative where the polarity is the other, (n,) float64
        each; NaN where a clip is silent, or where the two have so little in common (`_IN_COMMON`) that the highest
        correlation says nothing; for clips that repeat themselves (`_PERIODIC`), as a steady tone does.
    """
    _check_batches(before, after, same_length=True)
    reach = min(max_lag, before.shape[1] // 2)
    if reach < 2:
        return np.full(len(before), np.nan), np.full(len(before), np.nan)
    correlations = _correlations(before, after, reach)
    normalised = np.abs(correlations)
    lags = np.arange(-reach, reach + 1)
    padded = np.pad(normalised, ((0, 0), (1, 1)))
    is_summit = (normalised >= padded[:, :-2]) & (normalised >= padded[:, 2:])
    highest = normalised.max(axis=1, keepdims=True)
    candidates = is_summit & (normalised >= (1 - _AMBIGUOUS) * highest)
    best = np.where(candidates, np.abs(lags), before.shape[1]).argmin(axis=1)
    told = (highest[:, 0] >= _IN_COMMON) & ~_is_periodic(before, reach)  # False for NaN
    signed = correlations[np.arange(len(best)), best].astype(np.float64)
    return np.where(told, lags[best].astype(np.float64), np.nan), np.where(told, signed, np.nan)


_AMBIGUOUS = 0.02
_IN_COMMON = 0.3
_PERIODIC = 0.95


def _is_periodic(batch: Audio, reach: int) -> NDArray[np.bool_]:
    """Tell which clips are as good as the same again a few samples later: a summit of the autocorrelation off zero."""
    own = _correlations(batch, batch, reach)[:, reach:]
    later = own[:, 2:-1]
    is_summit = (later >= own[:, 1:-2]) & (later >= own[:, 3:])
    return np.asarray((is_summit & (later > _PERIODIC)).any(axis=1), dtype=np.bool_)


def _correlations(before: Audio, after: Audio, max_lag: int) -> NDArray[np.float32]:
    """Normalised cross-correlations at the lags -max_lag to max_lag: (n, lags); NaN where either clip is silent."""
    from scipy import fft

    _check_batches(before, after, same_length=True)
    samples = before.shape[1]
    if not 0 <= max_lag < samples:
        raise ValueError(f"The 'max_lag' must be at least 0 and below the {samples} samples of a clip. Got {max_lag}.")
    peaks = [np.abs(batch).max(axis=1, keepdims=True) for batch in (before, after)]
    silent = (peaks[0] == 0) | (peaks[1] == 0)
    # Scaled by their peaks, so that single precision is enough at any level.
    x, y = (np.where(silent, 0, batch / np.where(silent, 1, peak)).astype(np.float32)
            for batch, peak in zip((before, after), peaks, strict=True))  # fmt: skip
    size = fft.next_fast_len(samples + max_lag, real=True)  # long enough that no lag wraps around onto another
    spectrum = fft.rfft(y, size)
    spectrum *= np.conj(fft.rfft(x, size))
    circular = fft.irfft(spectrum, size, overwrite_x=True)
    lags = np.arange(-max_lag, max_lag + 1)
    correlation = np.concatenate([circular[:, size - max_lag :], circular[:, : max_lag + 1]], axis=1)

    # A lag l >= 0 pairs x[: samples - l] with y[l:], a negative one the other way round.
    heads_x, heads_y = _running_energy(x), _running_energy(y)
    overlap = samples - np.abs(lags)
    energy_x = np.where(lags >= 0, heads_x[:, overlap], heads_x[:, -1:] - heads_x[:, samples - overlap])
    energy_y = np.where(lags >= 0, heads_y[:, -1:] - heads_y[:, samples - overlap], heads_y[:, overlap])
    # The floor keeps the rounding error of the FFT from standing out where an overlap is almost silent.
    floor = 1e-5 * np.sqrt(heads_x[:, -1:] * heads_y[:, -1:])
    norm = np.sqrt(np.maximum(energy_x, 0) * np.maximum(energy_y, 0))
    return np.where(silent, np.nan, correlation / np.where(silent, 1, np.maximum(norm, floor))).astype(np.float32)


def is_noop(before: Audio, after: Audio) -> NDArray[np.bool_]:
    """Tell which clips an attack left bit-identical; a clip of another length was changed.

    Args:
        before: (n, samples) float32.
        after: (n, samples') float32.

    Returns:
        (n,) bool.

    Raises:
        ValueError: If the batches are not (n, samples) with equal n.
    """
    _check_batches(before, after, same_length=False)
    if before.shape != after.shape:
        return np.zeros(len(before), dtype=np.bool_)
    bits = [np.ascontiguousarray(batch, dtype=np.float32).view(np.uint32) for batch in (before, after)]
    return np.asarray((bits[0] == bits[1]).all(axis=1), dtype=np.bool_)


def came_back(before: Audio, after: Audio) -> NDArray[np.bool_]:
    """As `is_noop`, where the length changed too: a clip that was merely cut at its end, or filled up with zeros."""
    samples, length = before.shape[1], after.shape[1]
    if length <= samples:
        return is_noop(before[:, :length], after)
    return is_noop(before, after[:, :samples]) & ~after[:, samples:].any(axis=1)


def new_silence_ms(before: Audio, after: Audio, sample_rate: int) -> Floats:
    """By how much the longest digital silence in a clip became longer, in ms; (n,).

    Args:
        before: (n, samples).
        after: (n, samples').
        sample_rate: In Hz.
    """
    return np.asarray(1000 / sample_rate * (longest_run(after == 0) - longest_run(before == 0)), dtype=np.float64)


_BANDS, _PARTS = 24, 16
"""Of the spectrum, and of the time, by which clips are told from each other."""


def own_clip(before: Audio, after: Audio) -> Floats:
    """Tell whether what came out is of its own clip, or of another one.

    It is of its own where it is more like it than like three quarters of the others. It is of another where it is not,
    and very like one of them; and where it is like none (noise that drowns the clip), nothing can be told.

    Clips are compared by their levels in bands of the spectrum and in parts of their time, in dB, without the mean over
    all clips: so whatever the attack does to every clip falls out.

    Args:
        before: (n, samples).
        after: (n, samples').

    Returns:
        (n,) float64: 1 or 0; NaN for clips that are below -70 dBFS, shorter than 1,000 samples, or not told from
        others; and for all where fewer than half, or fewer than eight, can be told.
    """
    owned = np.full(len(before), np.nan)
    sounds = (np.mean(before.astype(np.float64) ** 2, axis=1) > 1e-7) & after.any(axis=1)
    if min(before.shape[1], after.shape[1]) < 1000 or sounds.sum() < _FEWEST_CLIPS:
        return owned
    old, new = (_traits(batch[sounds]) for batch in (before, after))
    old, new = (each - each.mean(axis=0) for each in (old, new))
    norms = [np.sqrt(np.sum(each**2, axis=1)) for each in (old, new)]
    if min(norm.min() for norm in norms) < 1:  # in dB: the clips are all alike
        return owned
    likeness = (new @ old.T) / np.outer(norms[1], norms[0])
    own = np.diag(likeness)
    rank = np.mean(likeness < own[:, None], axis=1) * len(own) / (len(own) - 1)
    other = np.where(np.eye(len(own), dtype=np.bool_), -1, likeness).max(axis=1)
    owned[sounds] = np.where(rank >= 0.75, 1.0, np.where(other > _VERY_LIKE, 0.0, np.nan))
    n_told = np.count_nonzero(~np.isnan(owned))
    return owned if n_told >= max(_FEWEST_CLIPS, 0.5 * sounds.sum()) else np.full(len(before), np.nan)


_FEWEST_CLIPS = 8
_VERY_LIKE = 0.8


def _traits(batch: Audio) -> Floats:
    """Levels in bands and in parts of the time, in dB, (n, traits); at least -60 dB below the loudest one."""
    samples = batch.shape[1]
    power = np.abs(np.fft.rfft(batch, axis=1)) ** 2
    edges = np.unique(np.rint(np.geomspace(max(1, samples / 400), power.shape[1], _BANDS + 1)).astype(int))
    bands = np.add.reduceat(power, edges[:-1], axis=1)
    ends = np.linspace(0, samples, _PARTS + 1).astype(int)
    parts = np.add.reduceat(batch.astype(np.float64) ** 2, ends[:-1], axis=1)
    levels = [np.log10(np.maximum(each, 1e-6 * each.max(axis=1, keepdims=True))) for each in (bands, parts)]
    return 10 * np.concatenate(levels, axis=1)


def clipped_percent(after: Audio) -> Floats:
    """Share of the samples that stand at the clip's own peak, in percent; one sample of an unclipped clip does.

    Args:
        after: (n, samples).

    Returns:
        (n,) float64; NaN where the clip is silent.
    """
    magnitude = np.abs(after)
    peak = magnitude.max(axis=1, keepdims=True)
    share = 100 * np.mean(magnitude >= peak * np.float32(1 - 1e-6), axis=1)
    return np.where(peak[:, 0] == 0, np.nan, share)


def longest_run(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Length of the longest run of True in each row, (n,)."""
    if not flags.shape[1]:
        return np.zeros(len(flags), dtype=np.int64)
    places = np.arange(1, flags.shape[1] + 1)
    last_false = np.maximum.accumulate(np.where(flags, 0, places), axis=1)
    return np.asarray((places - last_false).max(axis=1), dtype=np.int64)


def _energy(batch: NDArray[np.floating]) -> Floats:
    return np.asarray(np.sum(batch.astype(np.float64) ** 2, axis=1))


def _running_energy(batch: NDArray[np.floating]) -> Floats:
    """(n, samples + 1): the energy of the first k samples, for k from 0 to samples."""
    return np.pad(np.cumsum(batch.astype(np.float64) ** 2, axis=1), ((0, 0), (1, 0)))


def _ratio_db(signal: Floats, noise: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(signal == 0, np.nan, 10 * np.log10(signal / noise))


def _check_batches(before: Audio, after: Audio, *, same_length: bool) -> None:
    fits = before.ndim == after.ndim == 2 and len(before) == len(after) and before.shape[1] and after.shape[1]
    if not fits or (same_length and before.shape != after.shape):
        rule = "have the same shape (n, samples)" if same_length else "be (n, samples) and (n, samples')"
        raise ValueError(f"The clips before and after must {rule}. Got {before.shape} and {after.shape}.")
