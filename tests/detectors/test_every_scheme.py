"""Every scheme keeps the contract, and the contract notices schemes that do not."""

import warnings
from typing import Any

import numpy as np
import pytest

from sealproof.detectors import Audio, Bits, Detection, get_scheme
from sealproof.detectors.base import Scheme, check_batch, check_messages
from sealproof.detectors.testing import check_scheme


@pytest.mark.parametrize("name", ["spread_spectrum", "perth", "audioseal", "audioseal_mini"])
def test_scheme_keeps_the_contract(name: str) -> None:
    scheme = get_scheme(name)
    if reason := scheme.unavailable():
        pytest.skip(reason)
    check_scheme(scheme)


class Toy(Scheme):
    """Adds a constant for the first bit; the score is the clip's mean."""

    name = "toy"
    summary = "A constant"
    version = "toy-1"
    sample_rate = 16_000
    message_bits = 1
    threshold = 0.0

    def load_watermarker(self) -> Any:
        return self

    load_detector = load_watermarker

    def embed(self, batch: Audio, messages: Bits) -> Audio:
        check_batch(batch, self.name)
        check_messages(messages, len(batch), 1, self.name)
        return batch + np.where(messages, 0.01, -0.01).astype(np.float32)

    def detect(self, batch: Audio) -> Detection:
        check_batch(batch, self.name)
        score = batch.mean(axis=1)
        return Detection(score, bits=(score > 0)[:, None].astype(np.uint8))


class BatchDependent(Toy):
    def detect(self, batch: Audio) -> Detection:
        found = super().detect(batch)
        return Detection(found.score - found.score.mean(), bits=found.bits)


class OrderDependent(Toy):
    def embed(self, batch: Audio, messages: Bits) -> Audio:
        return super().embed(batch, messages) + np.arange(len(batch), dtype=np.float32)[:, None] * np.float32(1e-3)


class DeafToMessages(Toy):
    def embed(self, batch: Audio, messages: Bits) -> Audio:
        return super().embed(batch, np.ones_like(messages))


class WritesIntoInput(Toy):
    def embed(self, batch: Audio, messages: Bits) -> Audio:
        marked = super().embed(batch, messages)
        batch[:, 0] = 0.5
        return marked


class NanOnSilence(Toy):
    def detect(self, batch: Audio) -> Detection:
        found = super().detect(batch)
        with warnings.catch_warnings(), np.errstate(invalid="ignore"):
            return Detection(found.score * 0 / batch.std(axis=1), bits=found.bits)


class TakesEverything(Toy):
    def detect(self, batch: Audio) -> Detection:
        return super().detect(np.nan_to_num(np.asarray(batch, np.float32).reshape(len(batch), -1)))


class NoProbabilities(Toy):
    frames_are_probabilities = True

    def detect(self, batch: Audio) -> Detection:
        found = super().detect(batch)
        return Detection(found.score, frames=batch[:, :4] - 1, bits=found.bits)


class NoFrames(Toy):
    frames_are_probabilities = True


class OddVersion(Toy):
    version = "toy 1"


class OtherRate(Toy):
    sample_rate = 44_100


def test_the_contract_passes_an_honest_toy() -> None:
    check_scheme(Toy())


@pytest.mark.parametrize(
    ("scheme", "complaint"),
    [
        (BatchDependent, "batch's size"),
        (OrderDependent, "batch's order"),
        (DeafToMessages, "ignores the message"),
        (WritesIntoInput, "leave its batch untouched"),
        (NanOnSilence, "must be finite"),
        (TakesEverything, "must refuse bad input"),
        (OtherRate, "must take audio at 16000 Hz, the rate of all clips, not 44100"),
        (OddVersion, "The version may have"),
        (NoProbabilities, r"must lie in \[0, 1\]"),
        (NoFrames, "must have frames"),
    ],
)
def test_the_contract_notices(scheme: type[Toy], complaint: str) -> None:
    with pytest.raises((AssertionError, ValueError), match=complaint):
        check_scheme(scheme())
