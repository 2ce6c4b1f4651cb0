"""Codecs: real bitrate, no delay, whole tail, distinct strengths, and failures that are failures."""

import re
from dataclasses import fields
from itertools import pairwise

import av
import numpy as np
import pytest
import soundfile

from sealproof.attacks import AttackError, attack_class, get_attack, libav
from sealproof.attacks.measure import lag_samples, snr_db
from sealproof.attacks.parameters import RULE

NAMES = ["mp3", "aac", "opus", "vorbis"]


def every_strength(name):
    """The codec at every strength that it accepts, ascending."""
    cls = attack_class(name)
    (item,) = fields(cls)
    rule = item.metadata[RULE]
    return [cls(**{item.name: value}) for value in rule.choices or range(rule.low, rule.high + 1)]


EVERY = [attack for name in NAMES for attack in every_strength(name)]


@pytest.mark.parametrize("attack", EVERY, ids=lambda attack: attack.id)
def test_no_delay_and_no_missing_tail(run, chirp, attack):
    out = run(attack, chirp)
    assert abs(lag_samples(chirp, out, 2000)[0]) <= 1
    assert np.abs(out[0, -300:]).mean() > 0.1 * np.abs(chirp[0, -300:]).mean()
    assert np.abs(out[0, -20:]).max() > 0.01


@pytest.mark.parametrize(
    ("spec", "rate"),
    [
        ("mp3.64kbps", 24_000),
        ("aac.64kbps", 44_100),
        ("opus.16kbps", 8000),
        ("opus.64kbps", 12_000),
        ("vorbis.4q", 44_100),
    ],
)
def test_no_delay_at_other_sample_rates(run, chirp, spec, rate):
    out = run(get_attack(spec), chirp, rate)
    assert abs(lag_samples(chirp, out, 2000)[0]) <= 1
    assert snr_db(chirp, out)[0] > 5


@pytest.mark.parametrize(
    ("spec", "frame"), [("mp3.64kbps", 576), ("aac.64kbps", 1024), ("opus.64kbps", 320), ("vorbis.4q", 1024)]
)
@pytest.mark.parametrize("samples", [1, 999, 16_000])
def test_the_tail_is_padded_by_at_least_one_frame(music, spec, frame, samples):
    attack = get_attack(spec)
    assert attack.decode(attack.encode(music[0, :samples], 16_000), 16_000).size >= samples + frame


@pytest.mark.parametrize("name", NAMES)
def test_all_strengths_give_different_audio(run, music, name):
    outputs = [run(attack, music[:1]).tobytes() for attack in every_strength(name)]
    assert len(set(outputs)) == len(outputs)


@pytest.mark.parametrize("name", NAMES)
def test_a_weaker_attack_has_a_higher_snr(run, music, name):
    snrs = [snr_db(music, run(attack, music)).mean() for attack in attack_class(name).standard()]
    # Half a dB of slack: LAME has little left to gain above 96 kbit/s, and FFmpeg's AAC substitutes noise at 48 kbit/s.
    assert all(weaker > stronger - 0.5 for weaker, stronger in pairwise(snrs)), snrs
    assert snrs[0] > 20
    assert 0 < snrs[-1] < snrs[0] - 10


@pytest.mark.parametrize(("name", "tolerance"), [("mp3", 0.001), ("aac", 0.2), ("opus", 0.2)])
def test_the_real_bitrate_is_the_stated_one(music, name, tolerance):
    for attack in every_strength(name):
        assert attack.encoded_kbps(music[0], 16_000) == pytest.approx(attack.bitrate_kbps, rel=tolerance)


def test_vorbis_files_grow_with_quality(music):
    sizes = [len(attack.encode(music[0], 16_000)) for attack in every_strength("vorbis")]
    assert all(smaller < larger for smaller, larger in pairwise(sizes))


@pytest.mark.parametrize(
    ("spec", "magic"),
    [("mp3.64kbps", b"ID3"), ("aac.64kbps", b"ftyp"), ("opus.64kbps", b"OpusHead"), ("vorbis.4q", b"vorbis")],
)
def test_encode_writes_a_file_of_the_format(music, spec, magic):
    assert magic in get_attack(spec).encode(music[0], 16_000)[:64]


@pytest.mark.parametrize("spec", ["mp3.64kbps", "aac.64kbps", "opus.64kbps", "vorbis.8q"])
def test_audio_beyond_full_scale_is_clipped(run, music, spec):
    loud = 4 * music
    assert np.array_equal(run(get_attack(spec), loud), run(get_attack(spec), np.clip(loud, -1, 1)))


@pytest.mark.parametrize("spec", ["mp3.64kbps", "aac.64kbps", "opus.64kbps", "vorbis.8q"])
def test_clips_do_not_bleed_into_each_other(run, music, spec):
    attack = get_attack(spec)
    batch = np.concatenate([music[:1], np.zeros_like(music[:1])])
    assert np.abs(run(attack, batch)[1]).max() < 1e-3
    assert np.array_equal(run(attack, batch)[0], run(attack, music[:1])[0])


@pytest.mark.parametrize("spec", ["mp3.64kbps", "aac.64kbps", "opus.64kbps"])
def test_a_failing_encoder_raises(run, music, monkeypatch, spec):
    def fail(*args, **kwargs):
        raise av.error.InvalidDataError(1, "no such thing")

    monkeypatch.setattr(av, "open", fail)
    with pytest.raises(AttackError, match=r"failed to encode .* no such thing"):
        run(get_attack(spec), music)


@pytest.mark.parametrize("spec", ["mp3.64kbps", "aac.64kbps", "opus.64kbps"])
def test_a_missing_encoder_raises(run, music, monkeypatch, spec):
    attack = get_attack(spec)
    monkeypatch.setattr(type(attack), "encoder", "nonesuch")
    with pytest.raises(AttackError, match="nonesuch failed to encode"):
        run(attack, music)


@pytest.mark.parametrize("spec", ["mp3.64kbps", "aac.64kbps", "opus.64kbps"])
def test_a_missing_decoder_raises(run, music, monkeypatch, spec):
    attack = get_attack(spec)
    monkeypatch.setattr(type(attack), "decoder", "nonesuch")
    with pytest.raises(AttackError, match="nonesuch failed to decode"):
        run(attack, music)


@pytest.mark.parametrize("spec", ["mp3.64kbps", "aac.64kbps", "opus.64kbps", "vorbis.4q"])
def test_a_damaged_file_raises(run, music, monkeypatch, spec):
    attack = get_attack(spec)
    monkeypatch.setattr(type(attack), "encode", lambda self, clip, sample_rate: b"rubbish" * 99)
    with pytest.raises(AttackError, match="decode"):
        run(attack, music)


@pytest.mark.parametrize("spec", ["mp3.64kbps", "vorbis.4q"])
def test_lost_audio_raises(run, music, monkeypatch, spec):
    attack = get_attack(spec)
    whole = type(attack).decode
    monkeypatch.setattr(type(attack), "decode", lambda self, data, rate: whole(self, data, rate)[:15_999])
    with pytest.raises(AttackError, match=rf"^{attack.id} lost audio: 15999 of 16000 samples came back"):
        run(attack, music)


def test_a_failing_vorbis_encoder_raises(run, music, monkeypatch):
    def fail(*args, **kwargs):
        raise soundfile.LibsndfileError(1, "broken: ")

    monkeypatch.setattr(soundfile, "SoundFile", fail)
    with pytest.raises(AttackError, match=r"libvorbis failed to encode .* at quality 4: broken"):
        run(get_attack("vorbis.4q"), music)


def test_the_bitrate_of_rubbish_cannot_be_measured():
    with pytest.raises(AttackError, match="cannot be measured"):
        libav.payload_kbps(b"rubbish" * 99)


@pytest.mark.parametrize(
    ("spec", "rate", "rates"),
    [
        ("mp3.64kbps", 44_100, "16000, 22050, 24000"),
        ("aac.64kbps", 8000, "16000, 22050, 24000, 32000, 44100, 48000"),
        ("opus.64kbps", 48_000, "8000, 12000, 16000"),
        ("vorbis.4q", 4000, "16000, 22050, 24000, 32000, 44100, 48000"),
    ],
)
def test_a_sample_rate_at_which_the_strengths_do_not_hold_is_refused(run, music, spec, rate, rates):
    text = f"The sample rate for {spec.split('.')[0]} must be one of {rates} Hz; resample the corpus. Got {rate}."
    with pytest.raises(AttackError, match=re.escape(text)):
        run(get_attack(spec), music, rate)


@pytest.mark.parametrize(("spec"), ["aac.128kbps", "opus.510kbps", "mp3.192kbps", "mp3.12kbps", "vorbis.11q"])
def test_strengths_without_effect_are_refused(spec):
    with pytest.raises(AttackError, match=r"must be (one of|a whole number)"):
        get_attack(spec)
