"""Evidence is measured on the audio and on encoded bytes: what an attack says of itself saves no broken one."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from sealproof.attacks import Attack, Audio, attack_class, get_attack
from sealproof.attacks.codec.payload import payload_bytes
from sealproof.attacks.contract.base import Attacked
from sealproof.attacks.testing import broken_claims, music_like, toy_knowledge
from sealproof.attacks.verification.measure import came_back, new_silence_ms, own_clip
from sealproof.attacks.verification.profile import band_claims, in_domain, is_music, profile
from sealproof.attacks.verification.verify import verify

RATE = 16_000
MUSIC = music_like(8, RATE, RATE, seed=9)

CODECS = ["mp3.64kbps", "mp3_vbr.5v", "mp2.48kbps", "aac.32kbps", "opus.24kbps", "vorbis.4q", "gsm", "amr_nb.6.7kbps"]


def done(attack: Attack, batch: Audio = MUSIC) -> Attacked:
    return attack.perform(batch, RATE, range(len(batch)))


@pytest.mark.parametrize("spec", CODECS)
def test_a_codec_keeps_its_claims_on_files_that_others_read(spec: str) -> None:
    attack = get_attack(spec)
    assert broken_claims(attack, MUSIC, done(attack)) == set()


@pytest.mark.parametrize("spec", CODECS)
@pytest.mark.parametrize(
    "wrong",
    [
        lambda before, after: before + np.float32(2**-15),
        lambda before, after: before + np.float32(0.5) * (after - before),
        lambda before, after: np.roll(after, 1, axis=0),
        lambda before, after: np.float32(0.5) * after,
    ],
    ids=["input and one bit", "half the effect", "another clip's", "half as loud"],
)
def test_a_codec_whose_output_is_not_its_file_is_caught(spec: str, wrong: Callable[[Audio, Audio], Audio]) -> None:
    attack = get_attack(spec)
    attacked = done(attack)
    assert "read_again_db" in broken_claims(attack, MUSIC, replace(attacked, audio=wrong(MUSIC, attacked.audio)))


def test_a_codec_that_shows_no_file_is_not_believed() -> None:
    attack = get_attack("mp3.64kbps")
    attacked = replace(done(attack), encoded=())
    assert attacked.facts["bitrate_kbps"].tolist() == pytest.approx([64] * 8, rel=1e-3)
    assert broken_claims(attack, MUSIC, attacked) >= {"bitrate_kbps", "read_again_db"}


def test_a_file_of_another_bitrate_is_caught_whatever_the_codec_says_of_it() -> None:
    asked, got = get_attack("mp3.64kbps"), done(get_attack("mp3.48kbps"))
    lying = replace(got, facts={"bitrate_kbps": np.full(8, 64.0)})
    assert "bitrate_kbps" in broken_claims(asked, MUSIC, lying)


@pytest.mark.parametrize(
    ("spec", "container"),
    [("mp3.64kbps", "mp3"), ("aac.32kbps", "mp4"), ("aac_adts.32kbps", "adts"), ("opus.24kbps", "ogg"),
     ("vorbis.4q", "ogg"), ("adpcm", "wav"), ("flac", "flac"), ("amr_nb.6.7kbps", "amr")],
)  # fmt: skip
def test_bytes_are_counted_as_the_library_that_wrote_them_does(spec: str, container: str) -> None:
    attacked = done(get_attack(spec), MUSIC[:1])
    (file,) = attacked.encoded
    size = payload_bytes(file, container)
    assert size is not None
    assert size <= len(file)
    # A second of the clip, and its padding.
    assert 8e-3 * size / attacked.facts["bitrate_kbps"][0] == pytest.approx(1.1, abs=0.15)


@pytest.mark.parametrize("container", ["wav", "mp4", "ogg", "amr", "flac"])
def test_bytes_of_another_format_are_refused(container: str) -> None:
    with pytest.raises(ValueError, match="file"):
        payload_bytes(b"RIFF no such thing" * 20, container)


def test_another_clips_output_is_not_its_own() -> None:
    filtered = get_attack("lowpass.4khz")(MUSIC, RATE, range(8))
    assert own_clip(MUSIC, filtered).tolist() == [1] * 8
    assert np.nanmean(own_clip(MUSIC, np.roll(filtered, 1, axis=0))) < 0.5
    assert np.isnan(own_clip(MUSIC[:4], filtered[:4])).all()
    drowned = np.random.default_rng(0).standard_normal(MUSIC.shape).astype(np.float32)
    assert np.isnan(own_clip(MUSIC, drowned)).all()


@pytest.mark.parametrize(
    ("spec", "wrong", "quantity"),
    [
        ("lowpass.4khz", lambda after: np.where(np.arange(RATE) < 15_200, after, np.float32(0)), "new_silence_ms"),
        ("lowpass.4khz", lambda after: -after, "correlation"),
        ("clipping.5percent", lambda after: after * np.float32(0.5), "unclipped_kept_percent"),
        ("ring_modulation.440hz", lambda after: np.roll(after, 16, axis=1), "product_error_db"),
        ("resample_linear.8khz", lambda after: after * np.float32(0.99), "formula_error_db"),
        ("speed.1.05x", lambda after: np.roll(after, 16, axis=1), "formula_error_db"),
        ("spectral_tilt.3db", lambda after: after * np.float32(0.5), "level_at_1khz_db"),
        ("dropouts.5hz.10ms", lambda after: MUSIC + np.float32(0.5) * (after - MUSIC), "silenced_percent"),
        ("upsample.32khz", lambda after: MUSIC + np.float32(0.1) * (after - MUSIC), "top_band_db"),
    ],
)
def test_what_a_formula_tells_is_held_against_it(spec: str, wrong: Callable[[Audio], Audio], quantity: str) -> None:
    attack = get_attack(spec)
    after = attack(MUSIC, RATE, range(8))
    assert broken_claims(attack, MUSIC, after) == set()
    assert quantity in broken_claims(attack, MUSIC, wrong(after).astype(np.float32))


def test_a_clip_that_is_merely_cut_or_filled_up_came_back() -> None:
    longer = np.pad(MUSIC, ((0, 0), (0, 100)))
    assert came_back(MUSIC, MUSIC[:, :-100]).all()
    assert came_back(MUSIC, longer).all()
    longer[0, -1] = 1
    assert came_back(MUSIC, longer).tolist() == [False] + [True] * 7
    fast = get_attack("speed.1.05x")
    assert "is_noop" in broken_claims(fast, MUSIC, MUSIC[:, : fast.output_length(RATE, RATE)])
    crop = get_attack("crop.end.25percent")
    assert broken_claims(crop, MUSIC) == set()


def test_new_silence_is_what_was_not_silent_before() -> None:
    before = MUSIC[:2].copy()
    before[0, :1600] = 0
    after = before.copy()
    after[:, :3200] = 0
    assert new_silence_ms(before, after, RATE).round().tolist() == [100, 200]


KNOWLEDGE = toy_knowledge(MUSIC)
MARKED = KNOWLEDGE.watermarkers["same"](MUSIC, range(8))


@pytest.mark.parametrize(
    "spec", ["fade_mark.0.5x", "splice.50percent", "collude.2copies", "copy_mark.4clips.1x", "reembed.same"]
)
def test_attacks_on_the_mark_are_held_against_what_they_knew(spec: str) -> None:
    attack = get_attack(spec)
    attacked = attack.perform(MARKED, RATE, range(8), KNOWLEDGE)
    assert verify(attack, MARKED, attacked, RATE, knowledge=KNOWLEDGE).broken == []
    for share in (0.1, 0.5):
        less = (MARKED + np.float32(share) * (attacked.audio - MARKED)).astype(np.float32)
        assert verify(attack, MARKED, replace(attacked, audio=less), RATE, knowledge=KNOWLEDGE).broken


def test_bands_are_of_the_grid_and_of_music_alone() -> None:
    banded = [spec for spec in ("expander", "griffin_lim", "reverb") if band_claims(attack_class(spec).standard()[0])]
    assert banded == ["expander", "griffin_lim", "reverb"]
    assert band_claims(get_attack("reverb.501ms.6db")) == ()
    tone = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)[None].astype(np.float32)
    assert in_domain(MUSIC, RATE).all()
    assert not in_domain(MUSIC, 24_000).any()
    others = (tone, 1e-3 * MUSIC, 0 * MUSIC, MUSIC[:, :1600])
    assert not any(is_music(each.astype(np.float32), RATE).any() for each in others)
    numbers = profile(0 * MUSIC, MUSIC, RATE, is_aligned=True)
    assert all(np.isnan(values).all() for values in numbers.values())


def test_a_profile_of_known_changes() -> None:
    half = np.where(np.arange(RATE) < RATE // 2, np.float32(0.5) * MUSIC, MUSIC)
    numbers = profile(MUSIC, half, RATE, is_aligned=True)
    assert (numbers["balance_db"] == -np.inf).all()
    late = profile(MUSIC, np.roll(MUSIC, 16, axis=1), RATE, is_aligned=False)
    np.testing.assert_allclose(late["timing_ms"], 1, atol=0.15)
    np.testing.assert_allclose(profile(MUSIC, 2 * MUSIC, RATE, is_aligned=True)["band_2_db"], 6.02, atol=0.01)
