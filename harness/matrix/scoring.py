"""What one detector says of attacked clips, in the few numbers a clip that are kept."""

import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.contract.base import UNMARKED_FROM, UNMARKED_TO, Attack, Attacked
from sealproof.detectors.base import Audio, Detection, Detector, DetectorError, frames_are_probabilities, listen
from sealproof.harness.statistics.localisation import frame_iou

Floats = NDArray[np.float64]

FRAME_THRESHOLD = 0.5
"""A frame with a higher probability is taken for watermarked: AudioSeal's own rule, too."""


class Stretches(NamedTuple):
    """Parts of clips that carry no mark any more.

    Attributes:
        first: (n, k) their first samples.
        behind: (n, k) the samples behind their last.
    """

    first: Floats
    behind: Floats


class Scored(NamedTuple):
    """What a detector said of n clips; see `store.Scores`. Without probabilities of frames there is no mean of them."""

    score: NDArray[np.float32]
    bits: NDArray[np.uint8]
    seconds: float
    mean_probability: NDArray[np.float32] | None
    frame_iou: Floats


def unmarked_stretches(attack: Attack, attacked: Attacked) -> Stretches | None:
    """Return which parts of watermarked clips carry no mark after an attack, or None where that is not known.

    An attack says so by its facts, and a chain by those of its links, as long as nothing moves the audio in time.
    """
    facts: Mapping[str, Floats] = attacked.facts
    starts = [name for name in facts if name.rpartition(".")[2] == UNMARKED_FROM]
    if not starts or not attack.keeps_alignment:
        return None
    ends = [name.removesuffix(UNMARKED_FROM) + UNMARKED_TO for name in starts]
    return Stretches(np.stack([facts[name] for name in starts], 1), np.stack([facts[name] for name in ends], 1))


def score(
    name: str,
    load: Callable[[], Detector],
    audio: Audio,
    is_watermarked: NDArray[np.bool_],
    unmarked: Stretches | None,
) -> Scored:
    """Score attacked clips with a detector.

    Args:
        name: The detector's, for messages.
        load: Returns the detector.
        audio: (n, samples) float32.
        is_watermarked: (n,) which of the clips were marked before the attack.
        unmarked: Which parts of those carry no mark any more; None where that is not known.

    Raises:
        sealproof.detectors.base.DetectorError: The detector refuses the clips, or fails at them for whatever reason.
    """
    detector, detection, seconds = _detected(name, load, audio)
    bits = detection.bits if detection.bits is not None else np.zeros((len(audio), 0), dtype=np.uint8)
    located = np.full(len(audio), np.nan)
    if detection.frames is None or not frames_are_probabilities(detector):
        return Scored(detection.score, bits, seconds, None, located)
    if unmarked is not None:
        located[is_watermarked] = _located(detection, audio.shape[1], is_watermarked, unmarked)
    # Summed in double precision: single loses digits over so many frames.
    mean = detection.frames.mean(axis=1, dtype=np.float64).astype(np.float32)
    return Scored(detection.score, bits, seconds, mean, located)


def _detected(name: str, load: Callable[[], Detector], audio: Audio) -> tuple[Detector, Detection, float]:
    try:
        detector = load()
        started = time.perf_counter()
        detection = listen(detector, audio)
        seconds = time.perf_counter() - started
        if len(detection.score) != len(audio):
            raise DetectorError(f"{name} must give one score a clip. Got {len(detection.score)} for {len(audio)}.")
        return detector, detection, seconds
    except DetectorError:
        raise
    except Exception as error:
        # A detector is somebody else's code on somebody else's libraries: it takes its own cell with it, no other.
        raise DetectorError(f"{name} failed: {type(error).__name__}: {error}") from error


def _located(detection: Detection, n_samples: int, chosen: NDArray[np.bool_], unmarked: Stretches) -> Floats:
    """Hold the frames that a detector takes for watermarked against those that are."""
    assert detection.frames is not None  # noqa: S101 - the caller has looked
    frames = detection.frames[chosen]
    centres = (np.arange(frames.shape[1]) + 0.5) * n_samples / frames.shape[1]
    carries = np.ones(frames.shape, dtype=np.bool_)
    for first, behind in zip(unmarked.first[chosen].T, unmarked.behind[chosen].T, strict=True):
        carries &= (centres < first[:, None]) | (centres >= behind[:, None])
    overlaps: Floats = frame_iou(frames > FRAME_THRESHOLD, carries)
    return overlaps
