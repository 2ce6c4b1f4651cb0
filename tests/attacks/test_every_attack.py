"""One contract for every registered attack at every strength of its standard grid."""

import json
import re
from collections.abc import Callable
from dataclasses import fields
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sealproof.attacks import Attack, AttackError, attack_class, get_attack, list_attacks
from sealproof.attacks.contract.parameters import RULE, ParameterRule
from sealproof.attacks.testing import check_attack, music_like, run_attack
from sealproof.attacks.verification.measure import snr_db

AVAILABLE = [cls for cls in map(attack_class, list_attacks()) if cls.unavailable() is None]
STANDARD = [attack for cls in AVAILABLE for attack in cls.standard()]


@pytest.mark.parametrize("attack", STANDARD, ids=lambda attack: attack.id)
def test_contract(attack: Attack) -> None:
    check_attack(attack)


@pytest.mark.parametrize("name", list_attacks())
def test_each_class_stands_under_its_own_name(name: str) -> None:
    cls = attack_class(name)
    assert cls.name == name
    assert cls.__doc__
    assert cls.__doc__.splitlines()[0].endswith(".")


def test_an_attack_with_parameters_has_a_sweep() -> None:
    for name in list_attacks():
        cls = attack_class(name)
        assert bool(cls.sweep) == bool(fields(cls)), name


CLIPS: dict[str, Callable[[int, np.random.Generator], NDArray[Any]]] = {
    "silence": lambda n, rng: np.zeros(n),
    "full scale": lambda n, rng: rng.choice([-1.0, 1.0], n),
    "DC": lambda n, rng: np.full(n, -0.7),
    "impulse": lambda n, rng: (np.arange(n) == rng.integers(n)).astype(float),
    "above full scale": lambda n, rng: 4 * rng.standard_normal(n),
    "nearly silent": lambda n, rng: 1e-30 * rng.standard_normal(n),
}


@pytest.mark.parametrize("cls", AVAILABLE, ids=lambda cls: cls.name)
@settings(max_examples=8, deadline=None, derandomize=True, database=None)
@given(data=st.data(), kind=st.sampled_from(sorted(CLIPS)), samples=st.integers(1, 2000), seed=st.integers(0, 2**32))
def test_any_finite_clip_gives_finite_audio_of_the_stated_length(
    cls: type[Attack], data: st.DataObject, kind: str, samples: int, seed: int
) -> None:
    attack = data.draw(st.sampled_from(cls.standard()))
    batch = CLIPS[kind](samples, np.random.default_rng(seed)).astype(np.float32)[None]
    attacked = run_attack(attack, batch, 16_000, [seed])
    assert attacked.shape == (1, attack.output_length(samples, 16_000))
    assert np.isfinite(attacked).all()
    assert attacked.tobytes() == run_attack(attack, batch, 16_000, [seed]).tobytes()


def strengths(rule: ParameterRule) -> st.SearchStrategy[Any]:
    """Values that a parameter accepts, over all of its range."""
    if rule.choices:
        return st.sampled_from(rule.choices)
    low = -1e4 if rule.low is None else rule.low
    high = low + 1e5 if rule.high is None else rule.high
    if rule.kind is int:
        return st.integers(int(np.ceil(low)), int(high)).filter(lambda value: value != rule.excluding)
    edges: dict[str, Any] = {"exclude_min": rule.above_low, "exclude_max": rule.below_high}
    return st.floats(low, high, allow_subnormal=False, **edges).filter(lambda value: value != rule.excluding)


@pytest.mark.parametrize(
    "cls", [cls for cls in map(attack_class, list_attacks()) if fields(cls)], ids=lambda cls: cls.name
)
@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_any_strength_comes_back_from_its_id_and_from_json(cls: type[Attack], data: st.DataObject) -> None:
    drawn = {item.name: data.draw(strengths(item.metadata[RULE])) for item in fields(cls)}
    try:
        attack = cls(**drawn)
    except AttackError:
        return  # two strengths that each are right may not go together; what refuses them has its own test
    assert re.fullmatch(r"[A-Za-z0-9._-]+", attack.id)
    assert get_attack(attack.id) == attack
    assert get_attack(cls.name, **json.loads(json.dumps(attack.params))) == attack


LINEAR = {
    *("air_absorption", "allpass", "bandpass", "bandstop", "chorus", "circular_shift", "crop", "echo", "equaliser"),
    *("fade", "flanger", "gain", "high_shelf", "highpass", "jitter", "leading_silence", "level_ramp", "low_shelf"),
    *("lowpass", "notch", "offset", "peaking", "phase_rotation", "phaser", "pink_noise", "polarity", "resample"),
    *("resample_linear", "reverb", "reverse", "ring_modulation", "savitzky_golay", "scattered_suppress", "smooth"),
    *("spectral_tilt", "speed", "suppress", "tremolo", "trim_start", "upsample", "vibrato", "white_noise"),
}
"""Attacks whose output is as much louder as their input."""


@pytest.mark.parametrize("name", sorted(LINEAR))
@settings(max_examples=6, deadline=None, derandomize=True, database=None)
@given(factor=st.sampled_from([-1.0, -0.25, 0.5, 2.0]), seed=st.integers(0, 99))
def test_gain_and_polarity_commute_with_what_is_linear(name: str, factor: float, seed: int) -> None:
    clip = music_like(1, 4000, 16_000, seed=1)
    for attack in attack_class(name).standard()[:2]:
        once = attack(clip, 16_000, [seed])
        scaled = attack(clip * np.float32(factor), 16_000, [seed])
        # Noise follows the level of the clip, but keeps its sign.
        wanted = once * factor if "noise" not in name else clip * factor + (once - clip) * abs(factor)
        np.testing.assert_allclose(scaled, wanted, rtol=0, atol=2e-5 * max(1, abs(factor)))


ORDERED = [cls for cls in AVAILABLE if cls.is_ordered and cls.keeps_alignment and cls.sweep]


@pytest.mark.parametrize("cls", ORDERED, ids=lambda cls: cls.name)
def test_the_snr_falls_with_the_strength(cls: type[Attack]) -> None:
    music = music_like(6, 16_000, 16_000, seed=4)
    for parameter, values in cls.sweep.items():
        if isinstance(values[0], str):
            continue
        attacks = [cls(**{parameter: value}) for value in values]
        ratios = [np.median(snr_db(music, run_attack(attack, music, 16_000, range(6)))) for attack in attacks]
        falls = [later - earlier for earlier, later in pairwise(ratios)]
        assert max(falls, default=0) < 0.05, f"{parameter}: {dict(zip(values, np.round(ratios, 2), strict=True))}"
