"""What every scheme offers: a watermarker, its detector, and a version that names everything behind a score."""

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]
"""A batch of mono audio, shape (n, samples), nominally in [-1, 1]."""

Bits = NDArray[np.uint8]
"""A batch of messages, shape (n, bits), every entry 0 or 1."""


_Loaded = TypeVar("_Loaded")


class DetectorError(ValueError):
    """A detector or watermarker was asked for something it cannot do; the message says who, which rule, which value."""


class UnavailableError(DetectorError):
    """A scheme cannot run on this machine as it is; the message says what to do about it."""


@dataclass(frozen=True)
class Detection:
    """What a detector says about a batch.

    Attributes:
        score: Shape (n,), float32, finite. Higher means surer that the clip is watermarked. The scale is the detector's
            own: its documentation names unit and range, `Detector.threshold` the published cut.
        frames: Shape (n, t), float32, finite: the detector's evidence over time, or None where it has none.
        bits: Shape (n, k), uint8, 0 or 1: the decoded message, or None where the scheme carries none. Bits are decoded
            whether or not a watermark was found; on a clean clip they mean nothing.

    Raises:
        DetectorError: A field has the wrong type or shape, or holds NaN or an infinity. A detector that has no answer
            must choose and document a finite score; NaN would drop out of every mean and comparison unseen.
    """

    score: NDArray[np.float32]
    frames: NDArray[np.float32] | None = None
    bits: Bits | None = None

    def __post_init__(self) -> None:
        _check_field("score", self.score, np.dtype(np.float32), 1)
        if self.frames is not None:
            _check_field("frames", self.frames, np.dtype(np.float32), 2)
        if self.bits is not None:
            _check_field("bits", self.bits, np.dtype(np.uint8), 2)
            if self.bits.size and self.bits.max() > 1:
                raise DetectorError(f"The 'bits' of a Detection must be 0 or 1. Got {self.bits.max()}.")
        for name, field in (("frames", self.frames), ("bits", self.bits)):
            if field is not None and len(field) != len(self.score):
                raise DetectorError(
                    f"The '{name}' of a Detection must have one row per score. Got {len(field)} rows for "
                    f"{len(self.score)} scores."
                )

    @classmethod
    def concatenate(cls, parts: Sequence["Detection"]) -> "Detection":
        """Join detections of consecutive blocks of one batch, in order.

        Args:
            parts: At least one detection. All of them have frames (with one common t) or none has; likewise bits.

        Returns:
            One detection over all clips.
        """
        frames = [part.frames for part in parts if part.frames is not None]
        bits = [part.bits for part in parts if part.bits is not None]
        return cls(
            score=np.concatenate([part.score for part in parts]),
            frames=np.concatenate(frames) if frames else None,
            bits=np.concatenate(bits) if bits else None,
        )


def _check_field(name: str, value: object, dtype: np.dtype[np.generic], ndim: int) -> None:
    if not isinstance(value, np.ndarray) or value.dtype != dtype or value.ndim != ndim:
        got = f"{value.dtype} of shape {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
        raise DetectorError(f"The '{name}' of a Detection must be a {ndim}-D array of {dtype}. Got {got}.")
    wrong = int(value.size - np.isfinite(value).sum())
    if wrong:
        raise DetectorError(
            f"The '{name}' of a Detection must be finite. Got {wrong} NaN or infinite of {value.size} values."
        )


class Detector(Protocol):
    """Scores audio: how sure is it that a clip carries the watermark?

    A detector whose frames are probabilities says so with a class attribute, `frames_are_probabilities = True`: frame i
    of t is then P(watermarked) in [0, 1] of the i-th of t equal parts of the clip. It is judged by other rules of
    decision besides its score, and by where in a clip it sees the mark. Without the attribute frames are taken for
    evidence on a scale of the detector's own.
    """

    @property
    def name(self) -> str:
        """Letters, digits and `. _ -` only."""
        ...

    @property
    def sample_rate(self) -> int:
        """In Hz. Audio of any other rate must be resampled by the caller."""
        ...

    @property
    def threshold(self) -> float:
        """The threshold its makers publish: `score > threshold` means watermarked.

        Where none is published, the documentation says how it was set.
        """
        ...

    def detect(self, batch: Audio) -> Detection:
        """Score every clip on its own: neither the others in the batch nor their order change its score.

        Args:
            batch: Shape (n, samples), float32, finite; left untouched.

        Returns:
            n scores, and frames and bits where the detector has them.

        Raises:
            DetectorError: The batch breaks a rule of `check_batch` or is shorter than the detector can take.
        """
        ...


def frames_are_probabilities(detector: Detector) -> bool:
    """Say whether a detector's frames are probabilities; see `Detector`."""
    return bool(getattr(detector, "frames_are_probabilities", False))


class Watermarker(Protocol):
    """Puts a watermark into audio."""

    @property
    def sample_rate(self) -> int:
        """In Hz. Audio of any other rate must be resampled by the caller."""
        ...

    @property
    def message_bits(self) -> int:
        """Length of the message; 0 where the mark says only that it is there."""
        ...

    def embed(self, batch: Audio, messages: Bits) -> Audio:
        """Return the marked batch, sample-aligned with the input; deterministic.

        Args:
            batch: Shape (n, samples), float32, finite; left untouched.
            messages: Shape (n, message_bits), uint8, 0 or 1.

        Returns:
            Same shape, float32. It is not clipped: adding a mark to audio near full scale can exceed [-1, 1].

        Raises:
            DetectorError: The batch or the messages break a rule of `check_batch` or `check_messages`.
        """
        ...


class Scheme(ABC):
    """A watermarker and the detector that belongs to it; constructing one is cheap, using it loads what it needs.

    A scheme from outside subclasses this, registers under the entry point group `sealproof.schemes` and proves itself
    with `sealproof.detectors.testing.check_scheme`.
    """

    name: ClassVar[str]
    summary: ClassVar[str]

    @property
    @abstractmethod
    def version(self) -> str:
        """Names everything that can change a score: package version, weights, options and revision of the adapter.

        Letters, digits and `. _ -` only. Cheap: it loads neither a model nor a framework, so it can key a cache.
        """

    @property
    def weights_sha256(self) -> str | None:
        """Hex SHA-256 of the weights (several files: joined by `+`), or None for a scheme without weights.

        It is the hash the files must have: a scheme loads nothing else.
        """
        return None

    @property
    def files(self) -> Sequence[Path | str]:
        """Files and folders besides its own code that can change a score: weights, a program, a table.

        Their content counts in the key of every stored number. None by default: a scheme that checks its weights
        against `weights_sha256` need not list them.
        """
        return ()

    def unavailable(self) -> str | None:
        """Say why the scheme cannot run here and what to do, or None when it can; never touches the network."""
        return None

    def prepare(self) -> None:  # noqa: B027 - most schemes have nothing to fetch
        """Fetch what the scheme needs and lacks; the one method that may use the network before a model loads.

        Raises:
            UnavailableError: It could not be fetched; the message says what to do.
        """

    def require_ready(self) -> None:
        """Fetch what the scheme needs and lacks, and refuse one that cannot run here.

        Raises:
            UnavailableError: Something could not be fetched, or it cannot run here; the message says what to do.
        """
        self.prepare()
        reason = self.unavailable()
        if reason is not None:
            raise UnavailableError(reason)

    @functools.cached_property
    def watermarker(self) -> Watermarker:
        """The scheme's watermarker, loaded on first use.

        Raises:
            DetectorError: It cannot be loaded, whatever the reason: a package that is installed and broken, too.
        """
        return self._loaded(self.load_watermarker)

    @functools.cached_property
    def detector(self) -> Detector:
        """The scheme's own detector, loaded on first use.

        Raises:
            DetectorError: It cannot be loaded, whatever the reason: a package that is installed and broken, too.
        """
        return self._loaded(self.load_detector)

    def _loaded(self, load: Callable[[], _Loaded]) -> _Loaded:
        try:
            return load()
        except DetectorError:
            raise
        except Exception as error:
            # A package that does not fit its neighbours raises what it likes while it is imported: ImportError, OSError
            # (a missing symbol), AttributeError or ValueError (another binary interface), RuntimeError.
            raise UnavailableError(broken_text(self.name, error)) from error

    @abstractmethod
    def load_watermarker(self) -> Watermarker:
        """Build the watermarker; heavy imports belong in here."""

    @abstractmethod
    def load_detector(self) -> Detector:
        """Build the detector; heavy imports belong in here."""


def broken_text(who: str, error: Exception) -> str:
    """Say that something which is installed does not work, and where to learn what mends it."""
    first: BaseException = error
    while first.__cause__ is not None:
        # What torch says of a library that it cannot load names the file; why, the error before says.
        first = first.__cause__
    return f"{who} is broken on this machine ({type(first).__name__}: {first}). Run: sealproof doctor"


def listen(detector: Detector, batch: Audio) -> Detection:
    """Let a detector hear audio that others will hear, too: a copy of its own, which it cannot write into.

    One that wrote into its batch changed what the next detector heard, or what a mimic was taught.

    Args:
        detector: Somebody's.
        batch: (n, samples) float32.
    """
    own = batch.copy()
    own.flags.writeable = False
    return detector.detect(own)


def check_batch(batch: Audio, who: str, min_samples: int = 1) -> None:
    """Refuse a batch that is not a non-empty, finite, 2-D float32 array.

    Args:
        batch: What a caller passed as shape (n, samples).
        who: Name of the scheme or detector, for the message.
        min_samples: Shortest clip that `who` can take.

    Raises:
        DetectorError: A rule is broken. Integer PCM is refused rather than scaled: a detector that takes it for floats
            sees audio 90 dB too loud and answers nonsense.
    """
    if not isinstance(batch, np.ndarray) or batch.dtype != np.float32:
        got = batch.dtype if isinstance(batch, np.ndarray) else type(batch).__name__
        raise DetectorError(f"The batch of {who} must be a float32 array in [-1, 1]. Got {got}.")
    if batch.ndim != 2:
        raise DetectorError(f"The batch of {who} must have shape (n, samples). Got {batch.shape}.")
    if batch.size == 0:
        raise DetectorError(f"The batch of {who} must hold at least one clip and one sample. Got {batch.shape}.")
    if batch.shape[1] < min_samples:
        raise DetectorError(f"The clips of {who} must have at least {min_samples} samples. Got {batch.shape[1]}.")
    finite = np.isfinite(batch)
    if not finite.all():
        clip, sample = np.argwhere(~finite)[0]
        raise DetectorError(f"The batch of {who} must be finite. Got {batch[clip, sample]} at [{clip}, {sample}].")


def check_marked(marked: Audio, batch: Audio, who: str) -> None:
    """Refuse what a watermarker returns unless it is a finite float32 array of its batch's shape.

    Raises:
        DetectorError: A rule is broken. NaN would become silence in 16 bits, and pass for a marked clip.
    """
    if not isinstance(marked, np.ndarray) or marked.dtype != np.float32:
        got = marked.dtype if isinstance(marked, np.ndarray) else type(marked).__name__
        raise DetectorError(f"The watermarker of {who} must return a float32 array. Got {got}.")
    if marked.shape != batch.shape:
        raise DetectorError(f"The watermarker of {who} must keep the shape {batch.shape}. Got {marked.shape}.")
    n_wrong = int(marked.size - np.isfinite(marked).sum())
    if n_wrong:
        raise DetectorError(
            f"The watermarker of {who} must return finite samples. Got {n_wrong} NaN or infinite of {marked.size}."
        )


def require_sample_rate(who: str, side: str, sample_rate: int, given: int) -> None:
    """Refuse a watermarker or detector whose sample rate is not that of the audio it would be given.

    Raises:
        DetectorError: It is not: every number would be of the wrong band.
    """
    if sample_rate != given:
        raise DetectorError(
            f"The {side} of {who} must take audio at {given} Hz, the rate of all clips. "
            f"Got {sample_rate} Hz: nothing resamples around it. Let it resample within and declare {given}."
        )


def check_messages(messages: Bits, n: int, message_bits: int, who: str) -> None:
    """Refuse messages that are not an (n, message_bits) uint8 array of 0 and 1.

    Raises:
        DetectorError: A rule is broken.
    """
    if not isinstance(messages, np.ndarray) or messages.dtype != np.uint8:
        got = messages.dtype if isinstance(messages, np.ndarray) else type(messages).__name__
        raise DetectorError(f"The messages of {who} must be a uint8 array. Got {got}.")
    if messages.shape != (n, message_bits):
        raise DetectorError(f"The messages of {who} must have shape {(n, message_bits)}. Got {messages.shape}.")
    if messages.size and messages.max() > 1:
        raise DetectorError(f"The messages of {who} must be 0 or 1. Got {messages.max()}.")
