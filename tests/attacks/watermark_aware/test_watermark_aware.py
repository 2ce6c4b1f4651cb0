"""Watermark-aware attacks against a toy scheme whose marks are known exactly."""

import numpy as np
import pytest

from sealproof.attacks import Attack, Audio, attack_class, get_attack, list_attacks
from sealproof.attacks.contract.base import UNMARKED_FROM, UNMARKED_TO, AttackError
from sealproof.attacks.contract.knowledge import Knowledge
from sealproof.attacks.testing import check_attack, music_like, toy_knowledge

RATE = 16_000
CLEAN = music_like(3, RATE, RATE, seed=3)
KNOWLEDGE = toy_knowledge(CLEAN)
MARKED = KNOWLEDGE.watermarkers["same"](CLEAN, [70, 71, 72])
AWARE = [
    attack
    for name in list_attacks()
    if attack_class(name).family == "watermark-aware"
    for attack in attack_class(name).standard()
]


def about(batch: Audio, twins: Audio) -> Knowledge:
    return Knowledge(twins, KNOWLEDGE.clean, KNOWLEDGE.marked, KNOWLEDGE.watermarkers)


def run(attack: Attack, batch: Audio = MARKED, twins: Audio = CLEAN) -> Audio:
    return attack(batch, RATE, range(len(batch)), about(batch, twins))


def pattern(seed: int) -> Audio:
    """The toy scheme's mark for a message."""
    silence = np.zeros((1, RATE), np.float32)
    return KNOWLEDGE.watermarkers["same"](silence, [seed])[0]


@pytest.mark.parametrize("attack", AWARE, ids=lambda attack: attack.id)
def test_contract(attack: Attack) -> None:
    check_attack(attack)


@pytest.mark.parametrize("attack", AWARE, ids=lambda attack: attack.id)
def test_without_knowledge_it_refuses(attack: Attack) -> None:
    with pytest.raises(AttackError, match="needs to know more than the clips: pass knowledge"):
        attack(MARKED, RATE, [0, 1, 2])


def test_reembedding_adds_another_mark_by_the_same_scheme() -> None:
    added = run(get_attack("reembed.same")) - MARKED
    assert np.abs(added).max() == pytest.approx(np.abs(pattern(0)).max(), rel=0.3)
    assert not np.allclose(added[0], added[1], atol=1e-3), "each clip gets a message of its own"
    rms = np.sqrt(np.mean(added.astype(np.float64) ** 2, axis=1))
    assert rms == pytest.approx([0.01] * 3, rel=0.05)


def test_collusion_leaves_a_share_of_the_mark() -> None:
    pooled = run(get_attack("collude.5copies"))
    own = pattern(70).astype(np.float64)
    left = np.dot((pooled - CLEAN)[0], own) / np.dot(own, own)
    assert left == pytest.approx(1 / 5, abs=0.03)


@pytest.mark.parametrize("spec", ["collude.3copies", "splice.50percent", "fade_mark.0.5x"])
def test_a_clip_that_is_not_marked_stays_as_it_was(spec: str) -> None:
    np.testing.assert_array_equal(run(get_attack(spec), CLEAN, CLEAN), CLEAN)


def one_mark_everywhere() -> Knowledge:
    mark = pattern(5)
    return Knowledge(CLEAN, KNOWLEDGE.clean, KNOWLEDGE.clean + mark, KNOWLEDGE.watermarkers)


@pytest.mark.parametrize("clips", [1, 4, 8])
def test_a_mark_that_is_the_same_everywhere_is_forged_and_removed(clips: int) -> None:
    forged = get_attack("copy_mark", clips=clips)(CLEAN, RATE, [0, 1, 2], one_mark_everywhere())
    np.testing.assert_allclose(forged - CLEAN, np.tile(pattern(5), (3, 1)), atol=1e-6)
    removed = get_attack("subtract_average", clips=clips)(CLEAN + pattern(5), RATE, [0, 1, 2], one_mark_everywhere())
    np.testing.assert_allclose(removed, CLEAN, atol=1e-6)


def test_a_mean_of_unlike_marks_keeps_their_level() -> None:
    added = run(get_attack("copy_mark.8clips.1x"), CLEAN, CLEAN) - CLEAN
    assert np.sqrt(np.mean(added.astype(np.float64) ** 2, axis=1)) == pytest.approx([0.01] * 3, rel=0.05)
    louder = run(get_attack("copy_mark.8clips.2x"), CLEAN, CLEAN) - CLEAN
    np.testing.assert_allclose(np.linalg.norm(louder), 2 * np.linalg.norm(added), rtol=0.01)


def test_splicing_puts_one_stretch_of_the_original_in() -> None:
    spliced = run(get_attack("splice.25percent"))
    for clip, twin, marked in zip(spliced, CLEAN, MARKED, strict=True):
        same = np.flatnonzero(clip != marked)
        assert (same[0], same[-1] - same[0] + 1) == (same[0], 4000)
        np.testing.assert_array_equal(clip[same[0] : same[-1] + 1], twin[same[0] : same[-1] + 1])


def test_fading_leaves_the_share_it_says() -> None:
    np.testing.assert_allclose(run(get_attack("fade_mark.0.25x")) - CLEAN, 0.25 * (MARKED - CLEAN), atol=1e-6)


def test_too_few_recordings_to_draw_from_are_refused() -> None:
    few = Knowledge(CLEAN, KNOWLEDGE.clean[:2], KNOWLEDGE.marked[:2], KNOWLEDGE.watermarkers)
    with pytest.raises(AttackError, match=r"copy_mark\.4clips\.1x needs 4 marked recordings to draw from\. Got 2"):
        get_attack("copy_mark", clips=4)(CLEAN, RATE, [0, 1, 2], few)
    unmarked = Knowledge(CLEAN, KNOWLEDGE.clean, KNOWLEDGE.clean, {})
    with pytest.raises(AttackError, match="needs marked recordings that differ from their originals"):
        get_attack("copy_mark", clips=1)(CLEAN, RATE, [0, 1, 2], unmarked)
    with pytest.raises(AttackError, match=r"needs the watermarker 'perth'\. Known: none"):
        get_attack("reembed.perth")(CLEAN, RATE, [0, 1, 2], unmarked)


def test_knowledge_of_other_clips_is_refused() -> None:
    with pytest.raises(AttackError, match="must know one twin for each of 3 clips"):
        get_attack("splice.50percent")(MARKED, RATE, [0, 1, 2], about(MARKED, CLEAN[:2]))
    with pytest.raises(AttackError, match=r"The 'twins' that splice\.50percent knows must be float32"):
        get_attack("splice.50percent")(MARKED, RATE, [0, 1, 2], about(MARKED, CLEAN[:, :100]))


def test_a_splice_says_which_stretch_carries_no_mark() -> None:
    facts = get_attack("splice.25percent").perform(MARKED, RATE, range(3), about(MARKED, CLEAN))
    assert set(facts.facts) == {UNMARKED_FROM, UNMARKED_TO}
    for clip, marked, clean, first, behind in zip(
        facts.audio, MARKED, CLEAN, facts.facts[UNMARKED_FROM], facts.facts[UNMARKED_TO], strict=True
    ):
        assert behind - first == RATE // 4
        stretch = slice(int(first), int(behind))
        assert np.array_equal(clip[stretch], clean[stretch])
        assert np.array_equal(np.delete(clip, stretch), np.delete(marked, stretch))
