"""The catalogue as a whole: its size, and that no two configurations do the same."""

import hashlib

from sealproof.attacks import attack_class, list_attacks
from sealproof.attacks.testing import music_like, run_attack

AVAILABLE = [cls for cls in map(attack_class, list_attacks()) if cls.unavailable() is None]


def test_it_is_as_large_as_it_says() -> None:
    assert len(AVAILABLE) >= 60
    assert sum(len(cls.standard()) for cls in AVAILABLE) >= 250


def test_no_two_configurations_do_the_same_and_none_does_nothing() -> None:
    music = music_like(2, 16_000, 16_000, seed=6)
    seen = {hashlib.sha256(music.tobytes()).hexdigest(): "identity"}
    same = {}
    for cls in AVAILABLE:
        for attack in cls.standard():
            digest = hashlib.sha256(run_attack(attack, music, 16_000, [1, 2]).tobytes()).hexdigest()
            if digest in seen and attack.id != "identity":
                same[attack.id] = seen[digest]
            seen[digest] = attack.id
    assert same == {}
