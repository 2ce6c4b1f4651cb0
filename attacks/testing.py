"""The contract that every attack passes, also one from outside: call `check_attack` in a test of your own."""

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.contract.base import Attack, Attacked, AttackError, Audio
from sealproof.attacks.contract.chain import Chain
from sealproof.attacks.contract.knowledge import EmbedFunction, Knowledge
from sealproof.attacks.verification.measure import is_noop
from sealproof.attacks.verification.profile import QUANTITIES
from sealproof.attacks.verification.verify import verify

SEEDS = (11, 12, 13)


def music_like(n_clips: int, n_samples: int, sample_rate: int, seed: int = 0) -> Audio:
    """Decaying notes with overtones and a little noise: (n_clips, n_samples) float32 with a peak of 0.5.

    Tonal, broad-band and not periodic, so that no attack should leave it as it is.
    """
    return _music_like(n_clips, n_samples, sample_rate, seed).copy()


@lru_cache(maxsize=64)
def _music_like(n_clips: int, n_samples: int, sample_rate: int, seed: int) -> Audio:
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


def broken_claims(
    attack: Attack, before: Audio, after: NDArray[np.floating] | Attacked | None = None, sample_rate: int = 16_000
) -> set[str]:
    """Return the quantities in which audio is not what an attack claims that it makes; bands are left out.

    Args:
        attack: What states the claims.
        before: (n, samples) float32.
        after: (n, samples'), whatever made it. Default: what the attack makes of the clips, with seeds 0, 1, ...
        sample_rate: Samples per second, in Hz.
    """
    if after is None:
        after = attack.perform(before, sample_rate, range(len(before)))
    elif not isinstance(after, Attacked):
        after = Attacked(np.ascontiguousarray(after, dtype=np.float32))
    broken = {verdict.quantity for verdict in verify(attack, before, after, sample_rate).broken}
    return broken - set(QUANTITIES)


def toy_knowledge(twins: Audio, seed: int = 0) -> Knowledge:
    """Return what a watermark-aware attack may know, of a toy scheme: faint noise, another one for each message.

    Args:
        twins: (n, samples) float32, the clips before they are marked.
        seed: Of the other recordings, of which there are twelve.
    """

    def mark(batch: Audio, seeds: Sequence[int]) -> Audio:
        patterns = [np.random.default_rng([4, seed]).standard_normal(batch.shape[1]) for seed in seeds]
        return batch + np.float32(0.01) * np.array(patterns, np.float32).reshape(batch.shape)

    def other_scheme(first_message: int) -> EmbedFunction:
        return lambda batch, seeds: mark(batch, [seed + first_message for seed in seeds])

    others = music_like(12, twins.shape[1], 16_000, seed + 100)
    return Knowledge(
        twins,
        others,
        mark(others, range(12)),
        {"same": mark, "spread_spectrum": other_scheme(1), "perth": other_scheme(2)},
    )


def check_attack(attack: Attack, sample_rate: int = 16_000) -> None:
    """Check that an attack keeps the contract of `sealproof.attacks.Attack`, and does what it claims.

    Takes a fraction of a second for most attacks. It proves the form and the attack's own claims; what it does not
    claim is for its own tests.

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
    _check_effect(attack, sample_rate)
    _check_extremes(attack, sample_rate)
    _check_refusals(attack, sample_rate)


def run_attack(attack: Attack, batch: Audio, sample_rate: int, seeds: Sequence[int]) -> Audio:
    """Attack a batch; where the attack must know more than the clips, it gets the knowledge of a toy scheme."""
    if not attack.needs_knowledge:
        return attack(batch, sample_rate, seeds)
    return attack(batch, sample_rate, seeds, toy_knowledge(batch - np.float32(0.002) * _ripple(batch)))


def _ripple(batch: Audio) -> Audio:
    """A faint mark, so that a clip differs from its twin; silence stays silent."""
    signs = np.where(np.arange(batch.shape[1]) % 3, 1, -1).astype(np.float32)
    return np.where(np.abs(batch) > 1e-3, signs, np.float32(0))


def _check_declaration(attack: Attack) -> None:
    cls = type(attack)
    assert "__dataclass_params__" in vars(cls), (
        f"{cls.__name__} must be decorated with @dataclass(frozen=True, kw_only=True)."
    )
    assert cls.__call__ is Attack.__call__, f"{cls.__name__} must not override __call__: write apply."
    assert cls.perform is Attack.perform, f"{cls.__name__} must not override perform: write apply."
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
    if isinstance(attack, Chain):
        from sealproof.attacks import get_attack

        assert get_attack(attack.id) == attack, f"{attack.id} must be rebuilt by its id."
        return
    assert re.fullmatch(r"[A-Za-z0-9._-]+", attack.id), (
        f"An id must have only letters, digits and '. _ -'. Got '{attack.id}'."
    )
    assert cls.from_id(attack.id) == attack, f"{attack.id} must be rebuilt by its id. Got {cls.from_id(attack.id)}."
    assert cls(**attack.params) == attack, f"{attack.id} must be rebuilt by its params. Got {cls(**attack.params)}."


def _check_repeatable(attack: Attack, music: Audio, sample_rate: int) -> Audio:
    """Check the form of the output, that the input survives and that equal seeds give equal bits."""
    original = music.copy()
    attacked = run_attack(attack, music, sample_rate, SEEDS)
    assert np.array_equal(music, original), f"{attack.id} modified its input."
    assert not np.shares_memory(attacked, music), f"{attack.id} returned its input's memory."
    _check_form(attack, attacked, music, sample_rate, "music")
    assert _same_bits(run_attack(attack, music, sample_rate, SEEDS), attacked), (
        f"{attack.id} gave two results for the same seeds: draw from rng alone."
    )
    return attacked


def _check_seed(attack: Attack, clip: Audio, sample_rate: int) -> None:
    differs = not _same_bits(run_attack(attack, clip, sample_rate, [1]), run_attack(attack, clip, sample_rate, [2]))
    assert differs == attack.is_random, (
        f"{attack.id} states is_random={attack.is_random}, but another seed gives "
        f"{'another' if differs else 'the same'} result."
    )


def _check_independence(attack: Attack, music: Audio, attacked: Audio, sample_rate: int) -> None:
    for index in reversed(range(len(music))):
        single = run_attack(attack, music[index : index + 1], sample_rate, [SEEDS[index]])
        assert _same_bits(single[0], attacked[index]), (
            f"{attack.id} gave clip {index} another result alone than in a batch: clips must not touch each other."
        )
    backwards = run_attack(attack, music[::-1], sample_rate, SEEDS[::-1])
    assert _same_bits(backwards[::-1], attacked), f"The result of {attack.id} depends on the order of the batch."
    assert run_attack(attack, music[:0], sample_rate, []).shape == (0, attacked.shape[1]), (
        f"{attack.id} must take an empty batch."
    )


def _check_threads(attack: Attack, music: Audio, attacked: Audio, sample_rate: int) -> None:
    def job(index: int) -> Audio:
        return run_attack(attack, music[index : index + 1], sample_rate, [SEEDS[index]])

    order = [0, 1, 2, 2, 1, 0]
    with ThreadPoolExecutor(3) as pool:
        for index, result in zip(order, pool.map(job, order), strict=True):
            assert _same_bits(result[0], attacked[index]), (
                f"{attack.id} gave another result in a thread: it shares state."
            )


def _check_effect(attack: Attack, sample_rate: int) -> None:
    """Check on clips of a second that the attack does something, and what it claims."""
    music = music_like(4, sample_rate, sample_rate, seed=5)
    knowledge = toy_knowledge(music - np.float32(0.002) * _ripple(music)) if attack.needs_knowledge else None
    attacked = attack.perform(music, sample_rate, range(4), knowledge)
    unchanged = is_noop(music, attacked.audio)
    if attack.name == "identity":
        assert unchanged.all(), "identity must return its input bit for bit."
    elif not attack.is_control:
        assert not unchanged.any(), f"{attack.id} returned music unchanged: it did nothing."
    verification = verify(attack, music, attacked, sample_rate, knowledge=knowledge)
    broken = "; ".join(verdict.complaint for verdict in verification.broken)
    assert not broken, f"{attack.id} does not do on music what it claims: {broken}"


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
        _check_form(attack, run_attack(attack, batch, sample_rate, [0]), batch, sample_rate, what)


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
    _must_refuse(attack, "too few seeds", lambda: run_attack(attack, clip, sample_rate, []))


def _must_refuse(attack: Attack, what: str, call: Callable[[], Audio]) -> None:
    try:
        call()
    except AttackError:
        return
    raise AssertionError(f"{attack.id} must refuse {what} with an AttackError.")


def _same_bits(first: Audio, second: Audio) -> bool:
    return first.shape == second.shape and first.tobytes() == second.tobytes()
