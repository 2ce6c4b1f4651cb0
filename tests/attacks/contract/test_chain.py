"""Chains: order, ids, seeds, facts, and what a chain inherits from its links."""

import numpy as np
import pytest

from sealproof.attacks import Attack, Audio, get_attack
from sealproof.attacks.contract.base import AttackError
from sealproof.attacks.contract.chain import Chain
from sealproof.attacks.testing import check_attack, music_like, toy_knowledge

RATE = 16_000


@pytest.mark.parametrize(
    "spec", ["gain.6db+clipping.5percent", "white_noise.20db+mp3.64kbps", "speed.1.05x+lowpass.4khz+quantise.8bits"]
)
def test_a_chain_keeps_the_contract(spec: str) -> None:
    check_attack(get_attack(spec))


def test_order_is_kept() -> None:
    music = music_like(1, RATE, RATE)
    first, second = get_attack("quantise.4bits"), get_attack("gain.-20db")
    one, other = get_attack("quantise.4bits+gain.-20db"), get_attack("gain.-20db+quantise.4bits")
    assert [one.id, other.id] == ["quantise.4bits+gain.-20db", "gain.-20db+quantise.4bits"]
    np.testing.assert_array_equal(one(music, RATE, [0]), second(first(music, RATE, [0]), RATE, [0]))
    assert not np.array_equal(one(music, RATE, [0]), other(music, RATE, [0]))


def test_each_link_draws_for_itself() -> None:
    music = music_like(1, RATE, RATE)
    twice = get_attack("white_noise.20db+white_noise.20db")(music, RATE, [0])
    added = (twice - music)[0].astype(np.float64)
    signal = music[0].astype(np.float64)
    # Two noises that are not the same: their powers add, 17 dB; the same one twice would be 14 dB.
    assert 10 * np.log10(np.sum(signal**2) / np.sum(added**2)) == pytest.approx(17, abs=0.2)


def test_a_chain_is_what_its_links_are() -> None:
    assert get_attack("gain.6db+offset.10samples").keeps_alignment is False
    assert get_attack("gain.6db+clipping.5percent").keeps_alignment is True
    assert get_attack("gain.6db+clipping.5percent").is_random is False
    assert get_attack("gain.6db+white_noise.20db").is_random is True
    assert get_attack("gain.6db+reembed.same").needs_knowledge is True
    assert get_attack("speed.1.25x+speed.0.8x").output_length(16_000, RATE) == 16_000
    assert get_attack("speed.1.25x+gain.6db").output_length(16_000, RATE) == 12_800


def test_parameters_and_facts_name_their_link() -> None:
    chain = get_attack("lowpass.4khz+mp3.64kbps")
    assert chain.params == {"1.lowpass.cutoff_hz": 4000, "2.mp3.bitrate_kbps": 64}
    facts = chain.perform(music_like(2, RATE, RATE), RATE, [0, 1]).facts
    assert list(facts) == ["2.mp3.bitrate_kbps"]
    assert facts["2.mp3.bitrate_kbps"] == pytest.approx([64, 64], rel=0.05)


def test_equal_chains_are_equal() -> None:
    assert get_attack("gain.6db+gain.-6db") == get_attack("gain.6db+gain.-6db") != get_attack("gain.-6db+gain.6db")


def test_a_link_that_needs_it_gets_the_knowledge() -> None:
    music = music_like(2, RATE, RATE)
    chain = get_attack("reembed.same+gain.6db")
    with pytest.raises(AttackError, match="needs to know more than the clips"):
        chain(music, RATE, [0, 1])
    assert chain(music, RATE, [0, 1], toy_knowledge(music)).shape == music.shape


@pytest.mark.parametrize(
    ("spec", "rule"),
    [
        ("gain.6db+", "There is no attack ''"),
        ("gain.6db+gian.6db", "Did you mean 'gain'"),
        ("gain.6db+mp3.65kbps", "must be one of"),
        ("gain+gain.6db", "gain needs the parameter gain_db"),
    ],
)
def test_a_chain_that_is_none_is_refused(spec: str, rule: str) -> None:
    with pytest.raises(AttackError, match=rule):
        get_attack(spec)


def test_strengths_stand_in_the_ids() -> None:
    with pytest.raises(AttackError, match=r"The strengths of a chain stand in its ids\. Got gain_db beside"):
        get_attack("gain.6db+polarity", gain_db=3)


@pytest.mark.parametrize("links", [(), ("gain.6db",), ("gain.6db+gain.3db", "gain.6db")])
def test_links_are_at_least_two_single_attacks(links: tuple[str, ...]) -> None:
    attacks: tuple[Attack, ...] = tuple(get_attack(link) for link in links)
    with pytest.raises(AttackError, match="A chain must"):
        Chain(links=attacks)


def test_only_the_registry_reads_ids_of_chains() -> None:
    with pytest.raises(AttackError, match="get_attack"):
        Chain.from_id("gain.6db+gain.3db")


def test_a_failing_link_fails_the_chain() -> None:
    silence: Audio = np.zeros((1, RATE), np.float32)
    with pytest.raises(AttackError, match="must be below 8000 Hz"):
        get_attack("gain.6db+lowpass.9khz")(silence, RATE, [0])
