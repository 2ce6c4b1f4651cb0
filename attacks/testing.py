"""The contract that every attack passes, also one from outside: call `check_attack` in a test of your own."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from sealproof.attacks.base import Attack, AttackError, Audio
from sealproof.attacks.measure import is_noop

SEEDS = (11, 12, 13)


def music_like(n_clips: int, n_samples: int, sample_rate: int, seed: int = 0) -> Audio:
    """Decaying notes with overtones and a little noise: (n_clips, n_samples) float32 with a peak of 0.5.

    Tonal, broad-band and not periodic, so that no attack should leave it as it is.
    """
    rng = np.random.default_rng(seed)
    time = np.arange(n_samples) / sample_rate
    clips = np.empty((n_clips, n_samples), dtype=np.float32)
    for index in range(n_clips):
        mix = 0.02 * rng.standard_normal(n_samples)
        for start in np.arange(0, time[-1] + 0.1, 0.1):
            age = np.maximum(time - start, 0)
            pitch = rng.uniform(110, 880)
            overtones = [k for k in range(1, 9) if k * pitch < 0.45 * sample_rate]
            tone = sum(np.sin(2 * np.pi * k * pitch * age) / k for k in overtones)
            mix += (time >= start) * np.exp(-6 * age) * tone
        clips[index] = 0.5 * mix / np.abs(mix).max()
    return clips


def check_attack(attack: Attack, sample_rate: int = 16_000) -> None:
    """Checks that an attack keeps the contract of `sealproof.attacks.Attack`.

    Takes a fraction of a second for most attacks. It proves the form, not the physics: that a filter filters is for the
    attack's own tests.

    Args:
        attack: The attack, at one strength.
        sample_rate: In Hz; one at which the attack is defined.

    Raises:
        AssertionError: If the attack breaks the contract; the text says how.
        AttackError: If the attack refuses the sample rate.
    """
    _check_declaration(attack)
    _check_round_trip(attack)
    music = music_like(3, sample_rate // 4, sample_rate)
    attacked = _check_repeatable(attack, music, sample_rate)
    _check_seed(attack, music[:1], sample_rate)
    _check_independence(attack, music, attacked, sample_rate)
    _check_threads(attack, music, attacked, sample_rate)
    _check_effect(attack, music, attacked)
    _check_extremes(attack, sample_rate)
    _check_refusals(attack, sample_rate)


def _check_declaration(attack: Attack) -> None:
    cls = type(attack)
    assert "__dataclass_params__" in vars(cls), (
        f"{cls.__name__} must be decorated with @dataclass(frozen=True, kw_only=True)."
    )
    assert cls.__call__ is Attack.__call__, f"{cls.__name__} must not override __call__: write apply."
    assert re.fullmatch(r"[a-z][a-z0-9_]*", cls.name), (
        f"The name of {cls.__name__} must be lower-case letters, digits and '_'. Got '{cls.name}'."
    )
    assert cls.family, f"The family of {cls.name} must not be empty."
    unknown = cls.sweep.keys() - attack.params.keys()
    assert not unknown, f"The sweep of {cls.name} varies {sorted(unknown)}, which it does not have."
    ids = [each.id for each in cls.standard()]
    assert len(set(ids)) == len(ids), f"The sweep of {cls.name} lists a strength twice: {ids}."


def _check_round_trip(attack: Attack) -> None:
    cls = type(attack)
    assert re.fullmatch(r"[A-Za-z0-9._-]+", attack.id), (
        f"An id must have only letters, digits and '. _ -'. Got '{attack.id}'."
    )
    assert cls.from_id(attack.id) == attack, f"{attack.id} must be rebuilt by its id. Got {cls.from_id(attack.id)}."
    assert cls(**attack.params) == attack, f"{attack.id} must be rebuilt by its params. Got {cls(**attack.params)}."


def _check_repeatable(attack: Attack, music: Audio, sample_rate: int) -> Audio:
    """Checks the form of the output, that the input survives and that equal seeds give equal bits."""
    original = music.copy()
    attacked = attack(music, sample_rate, SEEDS)
    assert np.array_equal(music, original), f"{attack.id} modified its input."
    assert not np.shares_memory(attacked, music), f"{attack.id} returned its input's memory."
    _check_form(attack, attacked, music, sample_rate, "music")
    assert _same_bits(attack(music, sample_rate, SEEDS), attacked), (
        f"{attack.id} gave two results for the same seeds: draw from rng alone."
    )
    return attacked


def _check_seed(attack: Attack, clip: Audio, sample_rate: int) -> None:
    differs = not _same_bits(attack(clip, sample_rate, [1]), attack(clip, sample_rate, [2]))
    assert differs == attack.is_random, (
        f"{attack.id} states is_random={attack.is_random}, but another seed gives "
        f"{'another' if differs else 'the same'} result."
    )


def _check_independence(attack: Attack, music: Audio, attacked: Audio, sample_rate: int) -> None:
    for index in reversed(range(len(music))):
        single = attack(music[index : index + 1], sample_rate, [SEEDS[index]])
        assert _same_bits(single[0], attacked[index]), (
            f"{attack.id} gave clip {index} another result alone than in a batch: clips must not touch each other."
        )
    backwards = attack(music[::-1], sample_rate, SEEDS[::-1])
    assert _same_bits(backwards[::-1], attacked), f"The result of {attack.id} depends on the order of the batch."
    assert attack(music[:0], sample_rate, []).shape == (0, attacked.shape[1]), f"{attack.id} must take an empty batch."


def _check_threads(attack: Attack, music: Audio, attacked: Audio, sample_rate: int) -> None:
    def job(index: int) -> Audio:
        return attack(music[index : index + 1], sample_rate, [SEEDS[index]])

    order = [0, 1, 2, 2, 1, 0]
    with ThreadPoolExecutor(3) as pool:
        for index, result in zip(order, pool.map(job, order), strict=True):
            assert _same_bits(result[0], attacked[index]), (
                f"{attack.id} gave another result in a thread: it shares state."
            )


def _check_effect(attack: Attack, music: Audio, attacked: Audio) -> None:
    unchanged = is_noop(music, attacked)
    if attack.name == "identity":
        assert unchanged.all(), "identity must return its input bit for bit."
    else:
        assert not unchanged.any(), f"{attack.id} returned music unchanged: it did nothing."


def _check_extremes(attack: Attack, sample_rate: int) -> None:
    length = sample_rate // 10
    square = np.where(np.arange(length) // 20 % 2, 1.0, -1.0)
    extremes = {
        "silence": np.zeros(length),
        "full scale": square,
        "DC": np.full(length, 0.5),
        "audio near 1e-20": 1e-20 * square,
        "one sample": np.array([0.3]),
        "one silent sample": np.zeros(1),
        **{f"{size} samples": 0.5 * square[:size] for size in (2, 3, 10, 100, 577)},
    }
    for what, clip in extremes.items():
        batch = clip[None].astype(np.float32)
        _check_form(attack, attack(batch, sample_rate, [0]), batch, sample_rate, what)


def _check_form(attack: Attack, attacked: Audio, batch: Audio, sample_rate: int, what: str) -> None:
    wanted = (len(batch), attack.output_length(batch.shape[1], sample_rate))
    assert attacked.dtype == np.float32, f"{attack.id} must return float32 for {what}. Got {attacked.dtype}."
    assert attacked.shape == wanted, f"{attack.id} must return {wanted} for {what}. Got {attacked.shape}."
    assert np.isfinite(attacked).all(), f"{attack.id} returned NaN or infinity for {what}."


def _check_refusals(attack: Attack, sample_rate: int) -> None:
    clip = np.full((1, 100), 0.1, dtype=np.float32)
    holed = clip.copy()
    holed[0, 50] = np.nan
    _must_refuse(attack, "NaN", lambda: attack(holed, sample_rate, [0]))
    _must_refuse(attack, "float64", lambda: attack(clip.astype(np.float64), sample_rate, [0]))
    _must_refuse(attack, "a clip without batch axis", lambda: attack(clip[0], sample_rate, [0]))
    _must_refuse(attack, "too few seeds", lambda: attack(clip, sample_rate, []))


def _must_refuse(attack: Attack, what: str, call: Callable[[], Audio]) -> None:
    try:
        call()
    except AttackError:
        return
    raise AssertionError(f"{attack.id} must refuse {what} with an AttackError.")


def _same_bits(first: Audio, second: Audio) -> bool:
    return first.shape == second.shape and first.tobytes() == second.tobytes()
