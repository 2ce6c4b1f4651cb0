"""A classical keyed spread-spectrum watermark: fast, deterministic and without a model."""

import functools
import math
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sealproof.detectors.base import (
    Audio,
    Bits,
    Detection,
    Detector,
    DetectorError,
    Scheme,
    Watermarker,
    check_batch,
    check_messages,
)
from sealproof.detectors.slopes import Slope
from sealproof.detectors.spread_spectrum.mdct import Floats, frame_count, imdct, mdct

SAMPLE_RATE = 16_000
MESSAGE_BITS = 16
MARK_SNR_DB = 26.0
"""Energy of the clip over that of its mark; higher where the cap on single coefficients keeps the mark smaller."""

Z_THRESHOLD = 4.0
"""Nominal false-positive rate 3.2e-5, the upper tail of the standard normal distribution."""

_HOP = 256
# 190 Hz to 6.5 kHz: below, a coefficient is wider than the ear's bands; above, codecs cut first.
_BAND = slice(6, 208)
# Mark and host spectrum: level**_SHAPE. 1 would keep one distance everywhere; less moves the mark from the loud
# coefficients, which cost most of the energy, to the quiet ones, up to _CAP (-12 dB) below each one's surroundings.
_SHAPE = 0.7
_CAP = 0.25
# Coefficients whose surroundings are below 2 steps of 16-bit PCM carry nothing: rounding would erase it.
_FLOOR = 2.0**-14
_SILENCE = 1e-9
_BLOCK = 64
_REVISION = 1


class SpreadSpectrumScheme(Scheme):
    """Spread spectrum: +-1 chips on MDCT coefficients, shaped like the clip's spectrum; 16 bits and a pilot.

    A key draws a sign (chip) for every coefficient of every 16-ms frame. Half of the coefficients in the band, in
    another drawn pattern per frame, are the pilot, and each of the other half belongs to one message bit, which flips
    its chips. Pilot and bits share no coefficient, so their carriers are orthogonal whatever the host.

    It withstands noise, filtering and codecs while samples stay where they are. It does not resynchronise: an offset
    of a few milliseconds or a change of speed lays the chips on other coefficients and the mark is lost, as with every
    plain scheme of its kind.

    Args:
        key: Secret that draws the chips, 0 or greater. A detector with another key finds nothing.

    Source: Cox, Kilian, Leighton and Shamoon, "Secure spread spectrum watermarking for multimedia", IEEE Trans. Image
    Processing 6(12), 1997; Kirovski and Malvar, "Spread-spectrum watermarking of audio signals", IEEE Trans. Signal
    Processing 51(4), 2003 (whitening before correlation).
    """

    name: ClassVar[str] = "spread_spectrum"
    summary: ClassVar[str] = "Classical keyed spread spectrum on MDCT coefficients, pilot and 16-bit message"

    def __init__(self, key: int = 0) -> None:
        if isinstance(key, bool) or not isinstance(key, int) or key < 0:
            raise DetectorError(f"The 'key' of spread_spectrum must be an integer of 0 or greater. Got {key!r}.")
        self.key = key

    @property
    def version(self) -> str:
        """Revision of the scheme and the key."""
        return f"spread_spectrum-r{_REVISION}-key{self.key}"

    def load_watermarker(self) -> Watermarker:
        """Build the embedder."""
        return SpreadSpectrumWatermarker(self.key)

    def load_detector(self) -> Detector:
        """Build the blind detector."""
        return SpreadSpectrumDetector(self.key)


class SpreadSpectrumWatermarker:
    """Adds chips to the MDCT coefficients, scaled to a mark 26 dB below the clip and hidden in each one's surroundings.

    Digital silence, and clips quieter than the last bits of 16-bit PCM, are returned unmarked: nothing there would
    hide a mark.
    """

    sample_rate = SAMPLE_RATE
    message_bits = MESSAGE_BITS

    def __init__(self, key: int) -> None:
        self._key = key

    def embed(self, batch: Audio, messages: Bits) -> Audio:
        """Mark clips of any length.

        Args:
            batch: Shape (n, samples), float32, finite, at 16 kHz.
            messages: Shape (n, 16), uint8, 0 or 1.

        Returns:
            Same shape, float32, not clipped.

        Raises:
            DetectorError: The batch or the messages break a rule.
        """
        check_batch(batch, "spread_spectrum")
        check_messages(messages, len(batch), MESSAGE_BITS, "spread_spectrum")
        carrier = _carrier(self._key, frame_count(batch.shape[1], _HOP))
        marked = np.empty_like(batch)
        for start in range(0, len(batch), _BLOCK):
            block = slice(start, start + _BLOCK)
            marked[block] = batch[block] + _mark(batch[block], messages[block], carrier)
        return marked


class SpreadSpectrumDetector:
    """Whitens a clip and correlates it with the chips: the score is the pilot's z-score.

    Each coefficient is divided by the level of its surroundings and limited to [-1, 1], so neither loud passages nor
    tonal peaks rule the sum. Given the clip, the sum over random chips has mean 0 and a known variance, so the score of
    audio without this key's mark is close to N(0, 1) whatever the audio; the threshold of 4.0 stands for a nominal
    false-positive rate of 3.2e-5. Nobody publishes a threshold for this scheme: it is set here, from that rate.

    A clip without a single usable coefficient (digital silence) scores 0.0, "no evidence", and decodes to zeros.
    """

    name = "spread_spectrum"
    sample_rate = SAMPLE_RATE
    threshold = Z_THRESHOLD

    def __init__(self, key: int) -> None:
        self._key = key

    def detect(self, batch: Audio) -> Detection:
        """Score clips of any length; short ones give less evidence.

        Args:
            batch: Shape (n, samples), float32, finite, at 16 kHz.

        Returns:
            n z-scores (unbounded, about 15 for a marked second of music) and 16 bits each, by sign; no frames.

        Raises:
            DetectorError: The batch breaks a rule.
        """
        check_batch(batch, self.name)
        carrier = _carrier(self._key, frame_count(batch.shape[1], _HOP))
        scores = np.empty((len(batch), 1 + MESSAGE_BITS))
        for start in range(0, len(batch), _BLOCK):
            coefficients = mdct(batch[start : start + _BLOCK], _HOP)[:, :, _BAND]
            scores[start : start + _BLOCK] = _z_scores(coefficients, carrier)
        return Detection(score=scores[:, 0].astype(np.float32), bits=(scores[:, 1:] > 0).astype(np.uint8))

    def slope(self, batch: Audio, threshold: float, is_to_flag: bool) -> Slope:
        """Return the z-score less the threshold, and how it hangs on the audio, whichever way."""
        del is_to_flag
        check_batch(batch, self.name)
        carrier = _carrier(self._key, frame_count(batch.shape[1], _HOP))
        scores, gradients = np.empty(len(batch)), np.empty_like(batch)
        for start in range(0, len(batch), _BLOCK):
            block = slice(start, start + _BLOCK)
            coefficients = mdct(batch[block], _HOP)
            slopes = np.zeros_like(coefficients)
            scores[block], slopes[:, :, _BAND] = _pilot_slope(coefficients[:, :, _BAND], carrier)
            # The transform is orthonormal: its inverse takes gradients back.
            gradients[block] = imdct(slopes, batch.shape[1])
        return Slope(scores.astype(np.float32), scores - threshold, gradients)


class _Carrier(NamedTuple):
    chips: Floats
    """Shape (frames, band): +1 or -1."""
    owner: NDArray[np.int64]
    """Shape (frames, band): the message bit that a coefficient carries, or -1 for the pilot."""


@functools.lru_cache(maxsize=8)
def _carrier(key: int, frames: int) -> _Carrier:
    width = _BAND.stop - _BAND.start
    per_bit = width // 2 // MESSAGE_BITS
    owners = np.repeat(np.arange(-1, MESSAGE_BITS), [width - per_bit * MESSAGE_BITS] + [per_bit] * MESSAGE_BITS)
    chips = np.empty((frames, width))
    owner = np.empty((frames, width), np.int64)
    for frame in range(frames):
        # One generator per frame, so the chips of a frame do not depend on the length of the clip.
        rng = np.random.default_rng([key, frame])
        chips[frame] = rng.choice([-1.0, 1.0], size=width)
        owner[frame] = rng.permutation(owners)
    chips.setflags(write=False)
    owner.setflags(write=False)
    return _Carrier(chips, owner)


def _levels(coefficients: Floats) -> Floats:
    """RMS of each coefficient's surroundings, 3 frames by 5 coefficients, itself included; edges are repeated."""
    energy = np.pad(coefficients**2, ((0, 0), (1, 1), (2, 2)), mode="edge")
    frames, width = coefficients.shape[1:]
    over_time = energy[:, :frames] + energy[:, 1 : frames + 1] + energy[:, 2:]
    total = over_time[:, :, :width]
    for shift in range(1, 5):
        total = total + over_time[:, :, shift : shift + width]
    levels: Floats = np.sqrt(total / 15)
    return levels


def _mark(batch: Audio, messages: Bits, carrier: _Carrier) -> Floats:
    coefficients = mdct(batch, _HOP)
    levels = _levels(coefficients[:, :, _BAND])
    allowed = _amplitudes(levels, (batch.astype(np.float64) ** 2).sum(axis=1) / 10 ** (MARK_SNR_DB / 10))
    signs = np.ones((len(batch), MESSAGE_BITS + 1))
    signs[:, :MESSAGE_BITS] = 2.0 * messages - 1.0  # the last column is the pilot's, reached by its index -1
    mark = np.zeros_like(coefficients)
    mark[:, :, _BAND] = allowed * carrier.chips * signs[:, carrier.owner]
    return imdct(mark, batch.shape[1])


def _amplitudes(levels: Floats, energy: Floats) -> Floats:
    """Shape a mark after the levels: as loud as `energy` (n,) and the cap on each coefficient allow."""
    usable = levels > _FLOOR
    shape = np.where(usable, np.maximum(levels, _FLOOR) ** _SHAPE, 0.0)
    cap = np.where(usable, _CAP * levels, 0.0)
    # Each round gives the coefficients below their caps what the capped ones could not take. The scale only grows, so
    # the capped set only grows, and when it stops growing the scale is exact.
    capped = ~usable
    while True:
        left = np.maximum(energy - np.where(capped, cap**2, 0.0).sum(axis=(1, 2)), 0.0)
        free = np.where(capped, 0.0, shape**2).sum(axis=(1, 2))
        scale = np.sqrt(np.divide(left, free, out=np.full_like(free, np.inf), where=free > 0))
        wanted = np.where(capped, cap, np.where(np.isfinite(scale), scale, 0.0)[:, None, None] * shape)
        if not (wanted > cap).any():
            return wanted
        capped |= wanted > cap


def _z_scores(coefficients: Floats, carrier: _Carrier) -> Floats:
    """Normalised correlations, shape (n, 1 + MESSAGE_BITS): the pilot's and each bit's."""
    levels = _levels(coefficients)
    usable = levels > _SILENCE
    white = np.where(usable, np.clip(coefficients / np.where(usable, levels, 1.0), -1.0, 1.0), 0.0)
    despread = (white * carrier.chips).reshape(len(white), -1)
    owner = carrier.owner.ravel()
    scores = np.zeros((len(white), 1 + MESSAGE_BITS))
    for column in range(1 + MESSAGE_BITS):
        own = despread[:, owner == column - 1]
        norm = np.sqrt((own**2).sum(axis=1))
        np.divide(own.sum(axis=1), norm, out=scores[:, column], where=norm > 0)
    return scores


def _pilot_slope(coefficients: Floats, carrier: _Carrier) -> tuple[Floats, Floats]:
    """Return the pilot's z-scores (n,) and their gradients by the coefficients, (n, frames, band)."""
    levels = _levels(coefficients)
    usable = levels > _SILENCE
    divisor = np.where(usable, levels, 1.0)
    ratio = np.where(usable, coefficients / divisor, 0.0)
    signs = np.where(carrier.owner == -1, carrier.chips, 0.0)
    own = np.clip(ratio, -1.0, 1.0) * signs
    total, norm = own.sum(axis=(1, 2)), np.sqrt((own**2).sum(axis=(1, 2)))
    safe = np.where(norm > 0, norm, 1.0)[:, None, None]
    scores = np.where(norm > 0, total / safe[:, 0, 0], 0.0)
    by_own = np.where(norm[:, None, None] > 0, 1 / safe - total[:, None, None] * own / safe**3, 0.0)
    by_ratio = np.where(usable & (np.abs(ratio) < 1), by_own * signs, 0.0)
    by_level = -by_ratio * ratio / divisor
    return scores, by_ratio / divisor + 2 * coefficients * _spread_back(by_level / (30 * divisor))


def _spread_back(by_mean: Floats) -> Floats:
    """Take gradients by the sums over surroundings (see `_levels`) back to those by the energies."""
    n, frames, width = by_mean.shape
    padded = np.zeros((n, frames + 2, width + 4))
    for frame in range(3):
        for shift in range(5):
            padded[:, frame : frame + frames, shift : shift + width] += by_mean
    padded[:, 1] += padded[:, 0]
    padded[:, -2] += padded[:, -1]
    inner = padded[:, 1:-1]
    inner[:, :, 2] += inner[:, :, :2].sum(axis=2)
    inner[:, :, -3] += inner[:, :, -2:].sum(axis=2)
    return inner[:, :, 2:-2]


def nominal_false_positive_rate(z: float = Z_THRESHOLD) -> float:
    """Probability that a standard normal score exceeds z."""
    return math.erfc(z / math.sqrt(2)) / 2
