"""The template: what it refuses, what it checks, and that it hands a plug-in nothing that could break the caller."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import pytest

from sealproof.attacks import Attack, AttackError, Audio, get_attack, parameter

CLIPS = np.full((2, 100), 0.25, dtype=np.float32)


@dataclass(frozen=True, kw_only=True)
class Returns(Attack):
    """Returns what `RESULT` makes of the clip."""

    name: ClassVar[str] = "returns"
    family: ClassVar[str] = "test"

    RESULT: ClassVar = staticmethod(lambda clip: clip)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Any:
        return type(self).RESULT(clip)


@pytest.mark.parametrize(
    ("batch", "rate", "seeds", "text"),
    [
        (
            CLIPS[0],
            16_000,
            [1],
            "needs a float32 batch (n, samples); pass clip[None] for a single clip. Got float32 (100,)",
        ),
        (CLIPS.astype(np.float64), 16_000, [1, 2], "Got float64 (2, 100)"),
        ([[0.0]], 16_000, [1], "Got list"),
        (CLIPS[:, :0], 16_000, [1, 2], "at least one sample"),
        (CLIPS, 0, [1, 2], "sample rate in Hz as a positive integer. Got 0"),
        (CLIPS, 16_000.0, [1, 2], "Got 16000.0"),
        (CLIPS, True, [1, 2], "Got True"),
        (CLIPS, 16_000, [1], "one seed a clip: 2 clips. Got 1 seeds"),
        (CLIPS, 16_000, [1, -2], "must be a non-negative integer. Got -2"),
        (CLIPS, 16_000, [1, 2.5], "Got 2.5"),
    ],
)
def test_wrong_input_is_refused(batch: Any, rate: Any, seeds: list[Any], text: str) -> None:
    with pytest.raises(AttackError, match=re.escape(text)):
        get_attack("identity")(batch, rate, seeds)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_audio_that_is_not_finite_is_refused_with_the_clip(bad: float) -> None:
    batch = CLIPS.copy()
    batch[1, 3] = bad
    with pytest.raises(AttackError, match=r"finite audio.*Got some in \[1\]"):
        get_attack("identity")(batch, 16_000, [1, 2])


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (lambda clip: clip[:-1], r"must return float32 \(100,\) for clip 0. Its apply returned float32 \(99,\)"),
        (lambda clip: clip[None], r"returned float32 \(1, 100\)"),
        (lambda clip: clip.astype(np.float64), "returned float64"),
        (lambda clip: clip.tolist(), "returned list"),
        (lambda clip: clip * np.float32(np.nan), "must return finite audio"),
    ],
)
def test_an_attack_that_breaks_its_word_raises_under_its_own_name(
    monkeypatch: pytest.MonkeyPatch, result: Callable[..., Any], text: str
) -> None:
    monkeypatch.setattr(Returns, "RESULT", staticmethod(result))
    with pytest.raises(AttackError, match="^returns " + ".*" + text):
        Returns()(CLIPS, 16_000, [1, 2])


def test_a_plug_in_cannot_write_into_the_callers_audio(monkeypatch: pytest.MonkeyPatch) -> None:
    def overwrite(clip: Audio) -> Audio:
        clip[:] = 0
        return clip

    monkeypatch.setattr(Returns, "RESULT", staticmethod(overwrite))
    batch = CLIPS.copy()
    with pytest.raises(ValueError, match="read-only"):
        Returns()(batch, 16_000, [1, 2])
    assert np.array_equal(batch, CLIPS)
    assert batch.flags.writeable


def test_rows_of_a_strided_batch_arrive_whole() -> None:
    batch = np.arange(400, dtype=np.float32).reshape(2, 200)[:, ::2]
    assert np.array_equal(get_attack("identity")(batch, 16_000, [0, 0]), batch)


def test_seeds_may_be_any_sequence_of_integers() -> None:
    attack = get_attack("white_noise.10db")
    expected = attack(CLIPS, 16_000, [3, 4])
    sequences: list[Any] = [(3, 4), range(3, 5), np.array([3, 4]), np.array([3, 4], dtype=np.uint64)]
    for seeds in sequences:
        assert np.array_equal(attack(CLIPS, 16_000, seeds), expected)


def test_a_field_without_rule_is_refused() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Careless(Returns):
        name: ClassVar[str] = "careless"
        depth: float = field(default=1.0)

    with pytest.raises(AttackError, match="field 'depth' of careless must be declared with parameter"):
        Careless()


def test_attacks_are_values() -> None:
    assert get_attack("gain.6db") == get_attack("gain", gain_db=6.0)
    assert len({get_attack("gain.6db"), get_attack("gain", gain_db=6)}) == 1
    assert get_attack("lowpass.4khz") != get_attack("highpass.4khz")
    with pytest.raises(AttributeError):
        setattr(get_attack("gain.6db"), "gain_db", 3)  # noqa: B010 - it is frozen


def test_text_parameters_stand_in_the_id() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Coloured(Returns):
        name: ClassVar[str] = "coloured"
        colour: str = parameter(unit="", kind=str, choices=("pink", "brown"))
        level_db: float = parameter(unit="db", low=-60, high=0)

    attack = Coloured(colour="pink", level_db=-6)
    assert attack.id == "coloured.pink.-6db"
    assert Coloured.from_id(attack.id) == attack
    with pytest.raises(AttackError, match=r"The 'colour' of coloured must be one of pink, brown\. Got 'blue'\."):
        Coloured(colour="blue", level_db=-6)
