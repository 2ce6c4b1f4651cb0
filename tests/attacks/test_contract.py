"""One contract for every registered attack at every strength of its standard grid."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealproof.attacks import attack_class, list_attacks
from sealproof.attacks.testing import check_attack

STANDARD = [attack for name in list_attacks() for attack in attack_class(name).standard()]


@pytest.mark.parametrize("attack", STANDARD, ids=lambda attack: attack.id)
def test_contract(attack):
    check_attack(attack)


@pytest.mark.parametrize("name", list_attacks())
def test_each_class_stands_under_its_own_name(name):
    cls = attack_class(name)
    assert cls.name == name
    assert cls.__doc__
    assert cls.__doc__.splitlines()[0].endswith(".")


def test_every_attack_but_identity_has_a_standard_grid():
    assert [name for name in list_attacks() if not attack_class(name).sweep] == ["identity"]


def test_only_attacks_that_move_samples_give_up_alignment():
    moving = {name for name in list_attacks() if not attack_class(name).keeps_alignment}
    assert moving == {"offset", "speed", "time_stretch"}


CLIPS = {
    "silence": lambda n, rng: np.zeros(n),
    "full scale": lambda n, rng: rng.choice([-1.0, 1.0], n),
    "DC": lambda n, rng: np.full(n, -0.7),
    "impulse": lambda n, rng: (np.arange(n) == rng.integers(n)).astype(float),
    "above full scale": lambda n, rng: 4 * rng.standard_normal(n),
    "nearly silent": lambda n, rng: 1e-30 * rng.standard_normal(n),
}


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(
    attack=st.sampled_from(STANDARD),
    kind=st.sampled_from(sorted(CLIPS)),
    samples=st.integers(1, 2000),
    seed=st.integers(0, 2**32),
)
def test_any_finite_clip_gives_finite_audio_of_the_stated_length(attack, kind, samples, seed):
    batch = CLIPS[kind](samples, np.random.default_rng(seed)).astype(np.float32)[None]
    attacked = attack(batch, 16_000, [seed])
    assert attacked.shape == (1, attack.output_length(samples, 16_000))
    assert np.isfinite(attacked).all()
    assert attacked.tobytes() == attack(batch, 16_000, [seed]).tobytes()
