"""The contract of every scheme, built in or from outside, as one function to call from a test."""

import re

import numpy as np

from sealproof.detectors.base import Audio, Bits, Detection, DetectorError, Scheme, frames_are_probabilities

TOLERANCE = 1e-4
"""Largest absolute difference of a score, a frame or a sample that a clip's place in a batch may make."""

_SAMPLE_RATE = 16_000
"""Of all clips, in Hz."""

_LENGTHS = (1600, 3999, 15_999, 16_000, 16_001)


def check_scheme(scheme: Scheme, seed: int = 0) -> None:
    """Check that a scheme keeps the promises of `Scheme`, `Watermarker` and `Detector`.

    It says nothing about how well the scheme works: a detector that always answers 0.3 passes.

    Args:
        scheme: One that can run here (`unavailable()` is None).
        seed: Seed of the audio and the messages.

    Raises:
        AssertionError: A promise is broken; the message says which.
    """
    rng = np.random.default_rng(seed)
    clips = _notes(rng, 3, 16_000, scheme.detector.sample_rate)
    messages = rng.integers(0, 2, (3, scheme.watermarker.message_bits), dtype=np.uint8)
    _check_identity(scheme)
    marked = _check_embedding(scheme, clips, messages)
    _check_detection(scheme, np.concatenate([clips, marked]))
    _check_lengths(scheme, rng)
    _check_extremes(scheme, clips)
    _check_refusals(scheme, clips, messages)


def _check_identity(scheme: Scheme) -> None:
    for what, text in (("name", scheme.name), ("version", scheme.version), ("detector's name", scheme.detector.name)):
        assert re.fullmatch(r"[A-Za-z0-9._-]+", text), f"The {what} may have letters, digits and . _ - only: {text!r}"
    assert len(scheme.summary.splitlines()) == 1, "The summary must be one line"
    assert scheme.version == scheme.version, "The version must stay the same"
    assert scheme.unavailable() is None, f"The scheme ran, yet says that it cannot: {scheme.unavailable()}"
    assert scheme.detector is scheme.detector, "The detector must be loaded once"
    assert scheme.watermarker is scheme.watermarker, "The watermarker must be loaded once"
    assert scheme.detector.sample_rate == scheme.watermarker.sample_rate, "Both sides must have one sample rate"
    rate = scheme.detector.sample_rate
    assert rate == _SAMPLE_RATE, f"Both sides must take audio at {_SAMPLE_RATE} Hz, the rate of all clips, not {rate}"
    assert np.isfinite(scheme.detector.threshold), "The threshold must be finite"


def _check_embedding(scheme: Scheme, clips: Audio, messages: Bits) -> Audio:
    clips_before, messages_before = clips.copy(), messages.copy()
    marked = _embed(scheme, clips, messages)
    assert np.array_equal(clips, clips_before), "embed must leave its batch untouched"
    assert np.array_equal(messages, messages_before), "embed must leave its messages untouched"
    assert not np.array_equal(marked, clips), "embed must change the audio"
    assert np.array_equal(marked, _embed(scheme, clips, messages)), "embed must be deterministic"
    order = np.array([2, 0, 1])
    _assert_close(_embed(scheme, clips[order], messages[order]), marked[order], "embed depends on the batch's order")
    singles = [_embed(scheme, clips[i : i + 1], messages[i : i + 1]) for i in range(len(clips))]
    _assert_close(np.concatenate(singles), marked, "embed depends on the batch's size")
    if scheme.watermarker.message_bits:
        flipped = _embed(scheme, clips, 1 - messages)
        assert all((a != b).any() for a, b in zip(marked, flipped, strict=True)), "embed ignores the message"
    return marked


def _check_detection(scheme: Scheme, clips: Audio) -> None:
    before = clips.copy()
    detection = _detect(scheme, clips)
    assert np.array_equal(clips, before), "detect must leave its batch untouched"
    assert np.array_equal(detection.score, _detect(scheme, clips).score), "detect must be deterministic"
    if scheme.watermarker.message_bits:
        assert detection.bits is not None, "detect must decode the message that embed takes"
        assert detection.bits.shape[1] == scheme.watermarker.message_bits, (
            "detect must decode as many bits as embed takes"
        )
    if frames_are_probabilities(scheme.detector):
        assert detection.frames is not None, "a detector whose frames are probabilities must have frames"
        assert ((detection.frames >= 0) & (detection.frames <= 1)).all(), (
            "frames that are probabilities must lie in [0, 1]"
        )
    order = np.random.default_rng(0).permutation(len(clips))
    _assert_same(_detect(scheme, clips[order]), detection, order, "detect depends on the batch's order")
    singles = [_detect(scheme, clips[i : i + 1]) for i in range(len(clips))]
    in_order = np.arange(len(clips))
    _assert_same(Detection.concatenate(singles), detection, in_order, "detect depends on the batch's size")


def _check_lengths(scheme: Scheme, rng: np.random.Generator) -> None:
    messages = rng.integers(0, 2, (1, scheme.watermarker.message_bits), dtype=np.uint8)
    for samples in _LENGTHS:
        _detect(scheme, _embed(scheme, _notes(rng, 1, samples, scheme.detector.sample_rate), messages))


def _check_extremes(scheme: Scheme, clips: Audio) -> None:
    silence = np.zeros_like(clips[0])
    square = np.where(clips[0] >= 0, 1.0, -1.0).astype(np.float32)
    click = silence.copy()
    click[len(click) // 2] = 1.0
    extremes = np.stack([silence, square, clips[0] * np.float32(1e-4), click, np.full_like(silence, 0.5)])
    _detect(scheme, extremes)
    messages = np.zeros((len(extremes), scheme.watermarker.message_bits), np.uint8)
    _detect(scheme, _embed(scheme, extremes, messages))


def _check_refusals(scheme: Scheme, clips: Audio, messages: Bits) -> None:
    broken = clips.copy()
    broken[1, 5] = np.nan
    refused: dict[str, object] = {
        "float64": clips.astype(np.float64),
        "int16": (clips * 32767).astype(np.int16),
        "1-D": clips[0],
        "3-D": clips[:, None],
        "no clip": clips[:0],
        "no sample": clips[:, :0],
        "NaN": broken,
    }
    for what, batch in refused.items():
        _assert_refused(what, scheme.detector.detect, batch)
        _assert_refused(what, scheme.watermarker.embed, batch, messages)
    for what, wrong in {"too few": messages[:2], "int64": messages.astype(np.int64)}.items():
        _assert_refused(f"messages: {what}", scheme.watermarker.embed, clips, wrong)
    if scheme.watermarker.message_bits:
        _assert_refused("messages: a 2", scheme.watermarker.embed, clips, messages + np.uint8(2))


def _embed(scheme: Scheme, clips: Audio, messages: Bits) -> Audio:
    marked = scheme.watermarker.embed(clips, messages)
    assert marked.shape == clips.shape, f"embed must keep the shape {clips.shape}, not make it {marked.shape}"
    assert marked.dtype == np.float32, f"embed must return float32, not {marked.dtype}"
    assert np.isfinite(marked).all(), f"embed must return finite samples (clips of {clips.shape[1]} samples)"
    assert not np.shares_memory(marked, clips), "embed must not return its input"
    return marked


def _detect(scheme: Scheme, clips: Audio) -> Detection:
    detection = scheme.detector.detect(clips)
    assert isinstance(detection, Detection), f"detect must return a Detection, not {type(detection).__name__}"
    assert detection.score.shape == (len(clips),), f"detect must give {len(clips)} scores, not {detection.score.shape}"
    assert np.isfinite(detection.score).all(), "detect must give finite scores"
    return detection


def _assert_same(got: Detection, want: Detection, order: np.ndarray, rule: str) -> None:
    _assert_close(got.score, want.score[order], f"{rule} (score)")
    if got.frames is not None and want.frames is not None:
        _assert_close(got.frames, want.frames[order], f"{rule} (frames)")
    if got.bits is not None and want.bits is not None:
        assert np.array_equal(got.bits, want.bits[order]), f"{rule} (bits)"


def _assert_close(got: np.ndarray, want: np.ndarray, rule: str) -> None:
    difference = float(np.abs(got.astype(np.float64) - want).max())
    assert difference <= TOLERANCE, f"{rule}: differs by {difference:.2g}, allowed are {TOLERANCE}"


def _assert_refused(what: str, call: object, *arguments: object) -> None:
    assert callable(call)
    try:
        call(*arguments)
    except DetectorError:
        return
    raise AssertionError(f"{getattr(call, '__qualname__', call)} must refuse bad input with a DetectorError: {what}")


def _notes(rng: np.random.Generator, n: int, samples: int, sample_rate: int) -> Audio:
    """Draw decaying harmonic notes over soft noise: enough like music for a network to react to."""
    time = np.arange(samples) / sample_rate
    pitch = rng.uniform(110, 440, (n, 1, 1))
    harmonic = np.arange(1, 9)[:, None]
    tones = (np.sin(2 * np.pi * pitch * harmonic * time) / harmonic).sum(axis=1)
    envelope = np.exp(-4 * (time % 0.25))
    notes: Audio = (0.2 * tones * envelope + 0.01 * rng.standard_normal((n, samples))).astype(np.float32)
    return notes
