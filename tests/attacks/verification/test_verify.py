"""Claims against measurements: what is kept, what is broken, and what nobody can measure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from sealproof.attacks import Attack, Audio, Claim, Facts, get_attack, parameter
from sealproof.attacks.contract.base import Attacked, AttackError
from sealproof.attacks.testing import check_attack, music_like, toy_knowledge
from sealproof.attacks.verification.verify import Status, Verification, measure, verify

RATE = 16_000
MUSIC = music_like(4, RATE, RATE, seed=2)


@dataclass(frozen=True, kw_only=True)
class Louder(Attack):
    """Doubles the amplitude, or is said to."""

    name: ClassVar[str] = "louder"
    family: ClassVar[str] = "test"
    factor: float = parameter(unit="x", low=0, default=2.0)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio | tuple[Audio, Facts]:
        del sample_rate, rng
        return clip * np.float32(self.factor)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        del sample_rate
        return (Claim.about("level_change_db", 6.02, 0.01, every=True),)


def verified(attack: Attack, batch: Audio = MUSIC) -> Verification:
    return verify(attack, batch, attack.perform(batch, RATE, range(len(batch))), RATE)


def test_a_kept_claim_is_kept() -> None:
    verification = verified(Louder())
    assert verification.broken == []
    found = {verdict.quantity: verdict for verdict in verification.verdicts}
    assert (verification.verdicts[0].quantity, found["level_change_db"].status) == ("level_change_db", Status.KEPT)
    assert found["level_change_db"].median == pytest.approx(6.02, abs=0.01)
    assert (found["is_noop"].median, found["is_noop"].status) == (0, Status.KEPT)
    assert (found["delay_samples"].median, found["delay_samples"].n_clips) == (0, 4)
    assert found["correlation"].median == pytest.approx(1)
    assert found["new_silence_ms"].median == 0
    beside = {name for name, verdict in found.items() if verdict.claim is None}
    assert beside == {
        "snr_db",
        "own_clip",
        "length_samples",
        "clipped_percent",
    }  # four clips do not tell whose they are


def test_a_broken_claim_says_what_was_asked_and_measured() -> None:
    (level,) = verified(Louder(factor=1.9)).broken
    assert level.complaint == "level_change_db must be 6.01 to 6.03. Measured 5.575 (5.575 to 5.575)."
    with pytest.raises(AssertionError, match=r"louder\.1\.9x does not do on music what it claims: level_change_db"):
        check_attack(Louder(factor=1.9))


def test_returning_the_input_is_broken() -> None:
    (level, changed) = verified(Louder(factor=1)).broken
    assert (level.quantity, changed.quantity) == ("level_change_db", "is_noop")


def test_every_clip_counts_where_every_is_claimed() -> None:
    mixed = np.concatenate([MUSIC[:3] * 2, MUSIC[3:] * 1.9]).astype(np.float32)
    (level,) = verify(Louder(), MUSIC, Attacked(mixed), RATE).broken
    assert level.high == pytest.approx(6.02, abs=0.01)

    class Typical(Louder):
        def claims(self, sample_rate: int) -> tuple[Claim, ...]:
            return (Claim.about("level_change_db", 6.02, 0.01),)

    assert verify(Typical(), MUSIC, Attacked(mixed), RATE).broken == []


@pytest.mark.parametrize("late", [2, 100, 1024])
def test_a_delay_that_nobody_claims_is_broken(late: int) -> None:
    shifted = np.concatenate([np.zeros((4, late), np.float32), 2 * MUSIC[:, :-late]], axis=1)
    broken = {verdict.quantity: verdict for verdict in verify(Louder(), MUSIC, Attacked(shifted), RATE).broken}
    assert broken["delay_samples"].median == late


def test_silence_allows_no_measurement() -> None:
    silence = np.zeros((2, RATE), np.float32)
    verification = verified(Louder(), silence)
    level = verification.verdicts[0]
    assert (level.status, level.n_clips, math.isnan(level.median)) == (Status.UNMEASURED, 0, True)
    assert verification.broken == []


def test_silent_clips_do_not_spoil_the_others() -> None:
    some = MUSIC.copy()
    some[0] = 0
    verification = verified(Louder(), some)
    assert verification.broken == []
    assert verification.verdicts[0].n_clips == 3


def test_an_infinite_ratio_counts_it_is_not_dropped() -> None:
    half = np.concatenate([MUSIC[:2], -MUSIC[2:]])
    broken = {verdict.quantity for verdict in verify(get_attack("polarity"), MUSIC, Attacked(half), RATE).broken}
    assert broken >= {"is_noop", "snr_db"}


def test_each_label_is_judged_on_its_own() -> None:
    only_marked = np.concatenate([MUSIC[:2], 2 * MUSIC[2:]]).astype(np.float32)
    verification = verify(Louder(), MUSIC, Attacked(only_marked), RATE, is_marked=np.arange(4) >= 2)
    assert {(verdict.label, verdict.quantity) for verdict in verification.broken} == {
        ("clean", "level_change_db"),
        ("clean", "is_noop"),
    }
    assert "level_change_db of clean clips must be 6.01 to 6.03." in verification.broken[0].complaint


def test_an_attack_on_the_mark_alone_must_leave_clean_clips_as_they_were() -> None:
    knowledge = toy_knowledge(MUSIC)
    marked = knowledge.watermarkers["same"](MUSIC, range(4))
    both, is_marked = np.concatenate([MUSIC, marked]), np.arange(8) >= 4
    splice, knows = get_attack("splice.50percent"), replace(knowledge, twins=np.concatenate([MUSIC, MUSIC]))
    spliced = splice.perform(both, RATE, range(8), knows)
    assert verify(splice, both, spliced, RATE, is_marked=is_marked).broken == []
    louder = np.where(is_marked[:, None], spliced.audio, np.float32(1.5) * spliced.audio)
    (noop,) = verify(splice, both, replace(spliced, audio=louder), RATE, is_marked=is_marked).broken
    assert (noop.label, noop.complaint) == ("clean", "is_noop of clean clips must be at least 1. Measured 0 (0 to 0).")


@pytest.mark.parametrize("spec", ["quantise.8bits", "a_law", "peak_normalise.-12dbfs", "clipping.5percent"])
def test_what_is_there_already_may_stay(spec: str) -> None:
    attack = get_attack(spec)
    once = attack(MUSIC, RATE, range(4))
    assert not attack.leaves_alone(MUSIC, RATE).any()
    assert attack.leaves_alone(once, RATE).all()


@pytest.mark.parametrize(
    "spec", ["leading_silence.5percent", "suppress.5percent", "dropouts.5hz.10ms", "noise_gate.5percent.1ms.50ms"]
)
def test_silence_may_stay_silence(spec: str) -> None:
    begins_silent = MUSIC.copy()
    begins_silent[:, :2000] = 0
    attack = get_attack(spec)
    assert not attack.leaves_alone(MUSIC, RATE).any()
    assert attack.leaves_alone(begins_silent, RATE).all()


def test_a_claim_that_nobody_measures_is_a_mistake_of_the_attack() -> None:
    class Vain(Louder):
        def claims(self, sample_rate: int) -> tuple[Claim, ...]:
            return (Claim("beauty_percent", low=99),)

    with pytest.raises(ValueError, match=r"louder\.2x claims beauty_percent, which neither it nor anybody measures"):
        verified(Vain())


def test_evidence_and_facts_can_be_claimed() -> None:
    class Proven(Louder):
        def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> tuple[Audio, Facts]:
            return clip * np.float32(2), {"bitrate_kbps": 31.0 + clip.size / RATE}

        def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
            return {"peak_ratio": (np.abs(after).max(axis=1) / np.abs(before).max(axis=1)).astype(np.float64)}

        def claims(self, sample_rate: int) -> tuple[Claim, ...]:
            return (Claim.about("peak_ratio", 2, 0.01, every=True), Claim.about("bitrate_kbps", 32, 0.1))

    verification = verified(Proven())
    assert [verdict.status for verdict in verification.verdicts[:2]] == [Status.KEPT, Status.KEPT]
    assert verification.quantities["bitrate_kbps"].tolist() == [32, 32, 32, 32]


def test_facts_must_be_the_same_for_every_clip() -> None:
    class Fickle(Louder):
        def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> tuple[Audio, Facts]:
            return clip, ({"a": 1.0} if rng.random() < 0.5 else {})

    with pytest.raises(AttackError, match="must return the same facts for every clip"):
        Fickle().perform(MUSIC, RATE, range(4))


def test_what_does_the_same_has_the_same_hash() -> None:
    assert verified(get_attack("gain.6db")).sha256 == verified(get_attack("gain.6db")).sha256
    assert verified(get_attack("gain.6db")).sha256 != verified(get_attack("gain.12db")).sha256


def test_quantities_that_do_not_exist_are_no_numbers() -> None:
    faster = get_attack("speed.1.25x")
    quantities = measure(faster, MUSIC, faster.perform(MUSIC, RATE, range(4)), RATE)
    assert np.isnan(quantities["snr_db"]).all()
    assert np.isnan(quantities["delay_samples"]).all()
    assert quantities["length_samples"].tolist() == [12_800] * 4


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        (Claim("x", 1, 2), "1 to 2"),
        (Claim("x", low=1), "at least 1"),
        (Claim("x", high=-30), "at most -30"),
        (Claim("x", 3, 3), "3"),
        (Claim.about("x", 64, 0.5), "63.5 to 64.5"),
    ],
)
def test_claims_in_words(claim: Claim, words: str) -> None:
    assert claim.describe() == words
