"""What a diagnosis works on: held-out clips, their marks, and the detector that is asked about them."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.verification.measure import snr_db
from sealproof.detectors.base import Audio, Bits, Detection, Detector, Scheme, frames_are_probabilities, listen
from sealproof.harness.corpora.base import interleave_groups
from sealproof.harness.foundation.audio.files import from_pcm, to_pcm
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.progress import progress
from sealproof.harness.foundation.seeds import derive_seed
from sealproof.harness.statistics.estimation.estimate import Estimate, estimate_rate
from sealproof.harness.statistics.estimation.resamples import Resamples
from sealproof.harness.statistics.estimation.vectors import Codes, Flags, Floats
from sealproof.harness.statistics.thresholds import threshold_at_fpr
from sealproof.harness.training.schemes.clips import CorpusClips

BLOCK = 32
"""Clips scored at once."""


def n_marked(n_clips: int) -> int:
    """How many clips are marked where so many are judged: donors of mean marks, and what linear detectors learn of."""
    return max(4 * n_clips, 240)


MIN_CLIPS = 8
TARGET_FPR = 0.01
MIN_CALIBRATION = 99
"""With fewer clean clips there is no threshold for 1 % false positives."""


class Ear:
    """The detector, asked in blocks."""

    def __init__(self, detector: Detector) -> None:
        self.threshold = detector.threshold
        self.has_frames = frames_are_probabilities(detector)
        self._detector = detector

    def detect(self, audio: Audio) -> Detection:
        """Score clips of shape (n, samples)."""
        starts = range(0, len(audio), BLOCK)
        return Detection.concatenate([listen(self._detector, audio[start : start + BLOCK]) for start in starts])

    def flags(self, audio: Audio) -> Flags:
        """Say which clips the detector flags at its own threshold."""
        return self.detect(audio).score > self.threshold

    def ask(self, n: int, make: Callable[[NDArray[np.intp]], Audio], what: str) -> tuple[Flags, Floats]:
        """Score n clips that are made a block at a time.

        Args:
            n: How many.
            make: Makes the clips of some of the indices 0 .. n - 1.
            what: Said in front of the progress bar.

        Returns:
            Whether each is flagged, and how sure the detector is of each: the mean of its frames where they are
            probabilities, which says more than a score that is 0 for most clips, else the score.
        """
        flagged, evidence = np.empty(n, np.bool_), np.empty(n)
        for start in progress(range(0, n, BLOCK), what):
            part = np.arange(start, min(start + BLOCK, n))
            heard = listen(self._detector, make(part))
            flagged[part] = heard.score > self.threshold
            evidence[part] = heard.frames.mean(axis=1) if self.has_frames and heard.frames is not None else heard.score
        return flagged, evidence


@dataclass(frozen=True)
class Material:
    """Clips of one split and their marks.

    Attributes:
        ear: The detector.
        host: Shape (m, samples): the first `n` are judged, all serve as donors and for the linear detectors.
        mark: What the watermarker added to each, after rounding to 16 bits.
        mark_same: The same with one message for all; None where the mark carries none.
        messages: Shape (m, bits).
        side: Which half of the recordings a clip is of: what is learned of one half is judged on the other.
        resamples: Of the recordings of all m clips.
        n: Clips that are judged.
        threshold: Score that new clean clips exceed at 1 % at most, from those of the calibration split; None where
            they are fewer than 99.
        n_calibration: Clips that this was taken from.
        embed: Marks further clips.
        seed: Of whatever is drawn.
    """

    ear: Ear
    host: Audio
    mark: Audio
    mark_same: Audio | None
    messages: Bits
    side: Flags
    resamples: Resamples
    n: int
    threshold: float | None
    n_calibration: int
    embed: Callable[[Audio, Bits], Audio]
    seed: int

    @property
    def n_samples(self) -> int:
        """Length of a clip."""
        return int(self.host.shape[1])

    @property
    def codes(self) -> Codes:
        """The group (recording) of each clip."""
        return self.resamples.codes

    @property
    def judged(self) -> Resamples:
        """The resamples of the clips that are judged."""
        return self.resamples.of_clips(slice(self.n))

    @property
    def judged_host(self) -> Audio:
        """The clean clips that are judged."""
        return self.host[: self.n]

    @property
    def judged_mark(self) -> Audio:
        """Their marks."""
        return self.mark[: self.n]

    @property
    def marks(self) -> dict[str, Audio]:
        """All marks, by whether their messages differ."""
        marks = {"other_messages": self.mark}
        return marks if self.mark_same is None else {**marks, "same_message": self.mark_same}

    def rng(self, *what: object) -> np.random.Generator:
        """Return a generator of its own for something."""
        return np.random.default_rng(derive_seed(self.seed, "diagnosis", *what))

    def rate(self, flags: Flags, clips: NDArray[np.intp] | None = None) -> Estimate:
        """Share of clips with its interval: the wider of Wilson's and that over recordings.

        Args:
            flags: One for each clip.
            clips: Which clips these are; default: those that are judged.
        """
        return estimate_rate(flags, self.judged if clips is None else self.resamples.of_clips(clips))

    def rate_at_one_per_cent(self, scores: NDArray[np.float32]) -> Estimate:
        """Share of the judged clips that are flagged at 1 % false positives; not known without a threshold for that."""
        if self.threshold is None:
            return Estimate(math.nan, math.nan, math.nan, self.n, self.judged.n_groups)
        return self.rate(scores > self.threshold)

    def snr_db(self) -> Floats:
        """Signal-to-watermark ratio of the judged clips, in dB; NaN for an unmarked one."""
        ratio = np.asarray(snr_db(self.judged_host, self.judged_host + self.judged_mark), np.float64)
        return np.where(np.isfinite(ratio), ratio, math.nan)


def gather_material(scheme: Scheme, clips: CorpusClips, split: str, n_clips: int, seed: int) -> Material:
    """Mark held-out clips of a corpus.

    Args:
        scheme: A scheme that can run.
        clips: The corpus, split by recording.
        split: Whose clips are judged.
        n_clips: How many at most.
        seed: Chooses clips and messages.

    Raises:
        HarnessError: The split has too few clips or recordings, or the scheme works at another sample rate.
    """
    names = list(clips.groups.get(split, ()))
    if len(names) < MIN_CLIPS or len(set(names)) < 2:
        raise HarnessError(
            f"A diagnosis must have at least {MIN_CLIPS} clips of 2 recordings in the split {split!r}. "
            f"Got {len(names)} of {len(set(names))}: take a larger corpus or more --clips."
        )
    order = interleave_groups(names, derive_seed(seed, "diagnosis", "clips"))[: n_marked(n_clips)]
    host = from_pcm(clips.pcm[split][order])
    resamples = Resamples.of([names[index] for index in order], derive_seed(seed, "diagnosis", "resamples"))
    rng = np.random.default_rng(derive_seed(seed, "diagnosis", "messages"))
    embed = _embedder(scheme)
    bits = scheme.watermarker.message_bits
    messages = rng.integers(0, 2, (len(host), bits), dtype=np.uint8)
    same = np.broadcast_to(rng.integers(0, 2, bits, dtype=np.uint8), messages.shape).copy()
    side = rng.permutation(len(resamples.names)) % 2 == 0
    ear = Ear(scheme.detector)
    calibration = clips.pcm["calibration"]
    chosen = interleave_groups(list(clips.groups["calibration"]), derive_seed(seed, "diagnosis", "calibration"))
    quiet = from_pcm(calibration[chosen[: max(MIN_CALIBRATION, 2 * n_clips)]])
    threshold = threshold_at_fpr(ear.detect(quiet).score, TARGET_FPR)
    return Material(
        ear=ear,
        host=host,
        mark=embed(host, messages) - host,
        mark_same=embed(host, same) - host if bits else None,
        messages=messages,
        side=side[resamples.codes],
        resamples=resamples,
        n=min(n_clips, len(host)),
        threshold=threshold,
        n_calibration=len(quiet),
        embed=embed,
        seed=seed,
    )


def _embedder(scheme: Scheme) -> Callable[[Audio, Bits], Audio]:
    def embed(host: Audio, messages: Bits) -> Audio:
        parts: Iterable[slice] = [slice(start, start + BLOCK) for start in range(0, len(host), BLOCK)]
        marked = [scheme.watermarker.embed(host[part], messages[part]) for part in progress(parts, "marking")]
        return from_pcm(to_pcm(np.concatenate(marked)))

    return embed


def rms(audio: Audio) -> Floats:
    """Root mean square of each clip, shape (n, 1)."""
    level: Floats = np.sqrt(np.mean(np.square(audio, dtype=np.float64), axis=-1, keepdims=True))
    return level


def unit_energy(marks: Audio) -> tuple[Floats, NDArray[np.intp]]:
    """Scale marks to energy 1.

    Returns:
        Shape (k, samples), and which of the marks these are: those that are not silent.
    """
    energy = np.linalg.norm(marks.astype(np.float64), axis=1)
    kept = np.flatnonzero(energy > 0)
    return marks[kept] / energy[kept, None], kept


def percent(value: float) -> str:
    """Write a share for people: `0.5 %`, `99 %`."""
    return f"{100 * value:.1f} %" if 0 < value < 0.0995 or 0.99 < value < 1 else f"{100 * value:.0f} %"


def words_joined(words: Sequence[str]) -> str:
    """Join words for a sentence: `a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
