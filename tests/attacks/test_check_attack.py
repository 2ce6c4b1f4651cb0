"""check_attack is a test, so it is tested: each broken attack must fail for its own reason."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from sealproof.attacks import Attack, Audio, parameter
from sealproof.attacks.testing import check_attack, music_like


@dataclass(frozen=True, kw_only=True)
class Sound(Attack):
    """Halves the clip: nothing is wrong with it."""

    name: ClassVar[str] = "sound"
    family: ClassVar[str] = "test"

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        return clip * np.float32(0.5)


def broken(**attributes: Any) -> Any:
    """A copy of `Sound` with other attributes or methods."""
    return dataclass(frozen=True, kw_only=True)(type("Broken", (Sound,), {"name": "broken", **attributes}))


def hidden_random(self: Attack, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
    return clip + np.float32(np.random.default_rng().standard_normal())


def carried_over(self: Attack, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
    carry = vars(type(self)).get("carry", 0)
    setattr(type(self), "carry", float(clip[-1]))  # noqa: B010 - another class has no such field
    return clip + np.float32(carry)


def noisy(self: Attack, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
    return clip + rng.standard_normal(clip.size).astype(np.float32)


def normalised(self: Attack, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
    with np.errstate(all="ignore"):
        return clip / np.abs(clip).max()


def test_a_sound_attack_passes() -> None:
    check_attack(Sound())


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ({"apply": lambda self, clip, sample_rate, rng: clip}, "did nothing"),
        ({"apply": hidden_random}, "two results for the same seeds"),
        ({"apply": carried_over}, "two results for the same seeds"),
        ({"apply": noisy}, "states is_random=False, but another seed gives another result"),
        ({"is_random": True}, "states is_random=True, but another seed gives the same result"),
        ({"name": "Bro ken"}, "must be lower-case letters"),
        ({"family": ""}, "family of broken must not be empty"),
        ({"sweep": {"depth": (1, 2)}}, r"varies \['depth'\], which it does not have"),
        ({"__call__": lambda self, batch, rate, seeds: batch}, "must not override __call__"),
    ],
)
def test_a_broken_attack_fails_for_its_own_reason(attributes: dict[str, Any], text: str) -> None:
    with pytest.raises(AssertionError, match=text):
        check_attack(broken(**attributes)())


def test_nan_on_silence_is_found() -> None:
    with pytest.raises(ValueError, match="must return finite audio"):
        check_attack(broken(apply=normalised)())


def test_a_missing_decorator_is_found() -> None:
    class Bare(Sound):
        name: ClassVar[str] = "bare"

    with pytest.raises(AssertionError, match="Bare must be decorated"):
        check_attack(Bare())


def test_a_strength_listed_twice_is_found() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Twice(Sound):
        name: ClassVar[str] = "twice"
        sweep: ClassVar[dict[str, tuple[float, ...]]] = {"depth": (1, 1.0)}
        depth: float = parameter(unit="x", low=0, high=2)

    with pytest.raises(AssertionError, match="lists a strength twice"):
        check_attack(Twice(depth=1))


def test_the_music_is_loud_and_never_the_same() -> None:
    music = music_like(3, 8000, 16_000)
    assert music.shape == (3, 8000)
    assert music.dtype == np.float32
    assert np.allclose(np.abs(music).max(axis=1), 0.5)
    assert np.abs(np.corrcoef(music) - np.eye(3)).max() < 0.5
