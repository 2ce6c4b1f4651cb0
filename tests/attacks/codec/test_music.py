"""Codecs: real bitrate, no delay, whole tail, distinct strengths, the right label, and failures that are failures."""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from sealproof.attacks import Attack, AttackError, Audio
from sealproof.attacks.codec import libav
from sealproof.attacks.codec.base import BitrateCodec, Codec, FFmpegCodec
from sealproof.attacks.codec.libav import Decoded
from sealproof.attacks.codec.music import AAC, AACADTS, FLAC, MP2, MP3, MP3VBR, SBC, WMA, Opus, Vorbis
from sealproof.attacks.contract.parameters import RULE
from sealproof.attacks.testing import broken_claims
from sealproof.attacks.verification.measure import lag_samples, level_change_db, snr_db

RATE = 16_000
CODECS: list[type[Codec]] = [AAC, AACADTS, FLAC, MP2, MP3, MP3VBR, SBC, WMA, Opus, Vorbis]
LOSSY = [cls for cls in CODECS if cls is not FLAC]

# One strength of each, for what does not depend on the strength.
ONE_OF_EACH = [cls.standard()[len(cls.standard()) // 2] for cls in CODECS]
FFMPEG = [attack for attack in ONE_OF_EACH if attack.name not in ("mp3", "mp3_vbr", "vorbis")]


def every_strength(cls: type[Attack]) -> list[Any]:
    """The codec at every strength that it accepts, the lowest number first."""
    if not fields(cls):
        return [cls()]
    (item,) = fields(cls)
    rule = item.metadata[RULE]
    return [cls(**{item.name: value}) for value in rule.choices or range(rule.low, rule.high + 1)]


def by_id(attack: Attack) -> str:
    return attack.id


STANDARD = [attack for cls in CODECS for attack in cls.standard()]
EVERY = [attack for cls in CODECS for attack in every_strength(cls)]


def test_every_codec_can_be_run_here() -> None:
    assert [cls.unavailable() for cls in CODECS] == [None] * len(CODECS)


@pytest.mark.parametrize("attack", [attack for attack in EVERY if attack not in STANDARD], ids=by_id)
def test_strengths_outside_the_grid_keep_their_claims_too(music: Audio, attack: Codec) -> None:
    assert not broken_claims(attack, music)


@pytest.mark.parametrize("attack", [attack for attack in EVERY if attack.name != "aac_adts"], ids=by_id)
def test_no_delay_and_no_missing_tail(run: Callable[..., Audio], chirp: Audio, attack: Codec) -> None:
    out = run(attack, chirp)
    assert abs(lag_samples(chirp, out, 2000)[0]) <= 1
    assert np.abs(out[0, -300:]).mean() > 0.1 * np.abs(chirp[0, -300:]).mean()
    assert np.abs(out[0, -20:]).max() > 0.01


@pytest.mark.parametrize(
    ("attack", "rate"),
    [
        (MP3(bitrate_kbps=64), 24_000),
        (MP3VBR(quality=2), 22_050),
        (MP2(bitrate_kbps=48), 24_000),
        (AAC(bitrate_kbps=64), 44_100),
        (Opus(bitrate_kbps=16), 8000),
        (Opus(bitrate_kbps=64), 12_000),
        (Vorbis(quality=4), 44_100),
        (FLAC(), 48_000),
    ],
    ids=str,
)
def test_no_delay_at_other_sample_rates(run: Callable[..., Audio], chirp: Audio, attack: Codec, rate: int) -> None:
    out = run(attack, chirp, rate)
    assert abs(lag_samples(chirp, out, 2000)[0]) <= 1
    assert snr_db(chirp, out)[0] > 5


def test_a_raw_aac_stream_is_the_mp4_one_frame_late(run: Callable[..., Audio], music: Audio) -> None:
    """Bug 4: only the container differs, so all that differs is the delay of 1,024 samples."""
    late, aligned = run(AACADTS(bitrate_kbps=32), music), run(AAC(bitrate_kbps=32), music)
    np.testing.assert_array_equal(late[:, 1024:], aligned[:, :-1024])


def test_a_delay_that_is_not_removed_breaks_the_claim(music: Audio) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Late(MP2):
        delay = 0

    @dataclass(frozen=True, kw_only=True)
    class Punctual(AACADTS):
        container = "mp4"

    assert broken_claims(Late(bitrate_kbps=64), music) == {"delay_samples"}
    assert broken_claims(Punctual(bitrate_kbps=32), music) == {"delay_samples"}


@pytest.mark.parametrize(
    ("attack", "frame"),
    [
        (MP3(bitrate_kbps=64), 1105 + 576),
        (MP2(bitrate_kbps=64), 481 + 1152),
        (AAC(bitrate_kbps=64), 1024),
        (Opus(bitrate_kbps=64), 320),
        (Vorbis(quality=4), 1024),
        (WMA(bitrate_kbps=64), 512),
        (SBC(bitrate_kbps=64), 73 + 128),
    ],
    ids=str,
)
@pytest.mark.parametrize("samples", [1, 999, 16_000])
def test_the_tail_is_padded_by_at_least_one_frame(music: Audio, attack: Codec, frame: int, samples: int) -> None:
    decoded = attack.decode(attack.encode(attack._pcm(music[0, :samples], RATE), RATE), RATE)
    assert decoded.audio.size * RATE // decoded.sample_rate >= samples + frame


@pytest.mark.parametrize("cls", LOSSY)
def test_all_strengths_give_different_audio(run: Callable[..., Audio], music: Audio, cls: type[Attack]) -> None:
    """Bugs 7 and 8: no strength at which the encoder is saturated."""
    outputs = [run(attack, music[:1]).tobytes() for attack in every_strength(cls)]
    assert len(set(outputs)) == len(outputs)


@pytest.mark.parametrize("cls", [cls for cls in LOSSY if cls.is_ordered and cls.keeps_alignment])
def test_a_weaker_attack_has_a_higher_snr(run: Callable[..., Audio], music: Audio, cls: type[Attack]) -> None:
    snrs = [snr_db(music, run(attack, music)).mean() for attack in cls.standard()]
    # A fifth of a dB of slack: LAME has little left to gain above 64 kbit/s.
    assert all(weaker > stronger - 0.2 for weaker, stronger in pairwise(snrs)), snrs
    assert snrs[0] > 20
    assert 0 < snrs[-1] < snrs[0] - 8


@pytest.mark.parametrize("cls", [MP3, MP2, WMA, SBC])
def test_a_constant_bitrate_is_exact(music: Audio, cls: type[Attack]) -> None:
    for attack in every_strength(cls):
        kbps = attack.perform(music, RATE, range(2)).facts["bitrate_kbps"]
        np.testing.assert_allclose(kbps, attack.bitrate_kbps, rtol=1e-6)


@pytest.mark.parametrize("cls", [MP3VBR, Vorbis])
def test_a_variable_bitrate_follows_the_quality(music: Audio, cls: type[MP3VBR | Vorbis]) -> None:
    spent = [attack.perform(music, RATE, range(2)).facts["bitrate_kbps"].mean() for attack in cls.standard()]
    assert all(weaker > 1.1 * stronger for weaker, stronger in pairwise(spent)), spent


def test_the_bitrate_is_that_of_the_bytes_in_the_file(music: Audio) -> None:
    """Counted by hand: an SBC file is nothing but its frames of 128 samples; what does not fill one is left out."""
    attack = SBC(bitrate_kbps=32)
    pcm = attack._pcm(music[0], RATE)
    data = attack.encode(pcm, RATE)
    seconds = pcm.size // 128 * 128 / RATE
    assert attack.decode(data, RATE).bitrate_kbps == pytest.approx(8 * len(data) / seconds / 1000)


def in_bits_per_second(cls: type[AAC | MP2 | Opus]) -> Any:
    @dataclass(frozen=True, kw_only=True)
    class BitsPerSecond(cls):  # type: ignore[valid-type,misc]
        @property
        def bit_rate(self) -> int:
            return self.bitrate_kbps

    return BitsPerSecond(bitrate_kbps=64)


@pytest.mark.parametrize("cls", [AAC])
def test_bits_for_kilobits_break_the_claim(music: Audio, cls: type[AAC]) -> None:
    """Bug 1: these encoders take 64 bit/s without complaint and encode at their lowest rate."""
    assert "bitrate_kbps" in broken_claims(in_bits_per_second(cls), music)


@pytest.mark.parametrize("cls", [MP2, Opus])
def test_bits_for_kilobits_raise(music: Audio, cls: type[MP2 | Opus]) -> None:
    with pytest.raises(AttackError, match=r"failed to encode .* at 64 bit/s"):
        broken_claims(in_bits_per_second(cls), music)


def test_each_clip_is_encoded_once(music: Audio, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    encode = MP3.encode
    monkeypatch.setattr(MP3, "encode", lambda *args: calls.append(1) or encode(*args))
    facts = MP3(bitrate_kbps=64).perform(music, RATE, range(2)).facts
    assert len(calls) == 2
    assert facts["bitrate_kbps"].shape == (2,)


@pytest.mark.parametrize(
    ("attack", "magic"),
    [
        (MP3(bitrate_kbps=64), b"\xff\xf3"),
        (MP2(bitrate_kbps=64), b"WAVE"),
        (AAC(bitrate_kbps=64), b"ftyp"),
        (AACADTS(bitrate_kbps=64), b"\xff\xf1"),
        (Opus(bitrate_kbps=64), b"OpusHead"),
        (Vorbis(quality=4), b"vorbis"),
        (WMA(bitrate_kbps=64), b"\x30\x26\xb2\x75"),
        (SBC(bitrate_kbps=64), b"\x9c"),
        (FLAC(), b"fLaC"),
    ],
    ids=str,
)
def test_encode_writes_a_file_of_the_format(music: Audio, attack: Codec, magic: bytes) -> None:
    assert magic in attack.encode(attack._pcm(music[0], RATE), RATE)[:64]


def test_lame_scales_a_constant_bitrate_by_0_95(run: Callable[..., Audio], music: Audio) -> None:
    out = run(MP3(bitrate_kbps=160), music)
    np.testing.assert_allclose(level_change_db(music, out), 20 * np.log10(0.95), atol=0.02)
    assert (snr_db(np.float32(0.95) * music, out) > snr_db(music, out) + 4).all()
    np.testing.assert_allclose(level_change_db(music, run(MP3VBR(quality=0), music)), 0, atol=0.02)


def test_flac_returns_the_16_bit_codes_of_the_clip(run: Callable[..., Audio], music: Audio) -> None:
    codes = np.rint(music * 32768) / np.float32(32768)
    np.testing.assert_array_equal(run(FLAC(), music), codes)
    np.testing.assert_array_equal(run(FLAC(), codes), codes)


def test_a_flac_with_one_wrong_code_breaks_its_claim(music: Audio) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Scratched(FLAC):
        def encode(self, pcm: NDArray[np.int16], sample_rate: int) -> bytes:
            scratched = pcm.copy()
            scratched[1234] += 1
            return super().encode(scratched, sample_rate)

    assert broken_claims(Scratched(), music) == {"wrong_codes"}


@pytest.mark.parametrize("attack", ONE_OF_EACH, ids=by_id)
def test_audio_beyond_full_scale_is_clipped(run: Callable[..., Audio], music: Audio, attack: Codec) -> None:
    loud = 4 * music[:1]
    assert np.array_equal(run(attack, loud), run(attack, np.clip(loud, -1, 1)))


@pytest.mark.parametrize("attack", ONE_OF_EACH, ids=by_id)
def test_clips_do_not_bleed_into_each_other(run: Callable[..., Audio], music: Audio, attack: Codec) -> None:
    """Bug 5: a batch is not one long stream, and nothing late of clip i comes out in clip i + 1."""
    batch = np.concatenate([music[:1], np.zeros_like(music[:1])])
    assert np.abs(run(attack, batch)[1]).max() < 1e-3
    assert np.array_equal(run(attack, batch)[0], run(attack, music[:1])[0])


@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000])
@pytest.mark.parametrize("attack", [MP3(bitrate_kbps=64), AAC(bitrate_kbps=32), MP2(bitrate_kbps=48)], ids=by_id)
def test_the_label_of_the_file_is_the_sample_rate_of_the_clip(music: Audio, attack: Codec, rate: int) -> None:
    """Bug 6: the file says what rate its samples have."""
    data = attack.encode(attack._pcm(music[0], rate), rate)
    assert attack.decode(data, rate).sample_rate == rate
    with av.open(io.BytesIO(data)) as file:
        assert file.streams.audio[0].sample_rate == rate


def test_the_sample_rate_matters(run: Callable[..., Audio], music: Audio) -> None:
    """Bug 6, the other way round: the same samples under another label are another attack."""
    attack = MP3(bitrate_kbps=32)
    assert np.abs(run(attack, music, 16_000) - run(attack, music, 24_000)).max() > 0.001


@pytest.mark.parametrize("cls", [MP3, AAC, Vorbis])
def test_a_wrong_label_raises(run: Callable[..., Audio], music: Audio, cls: type[AAC | MP3 | Vorbis]) -> None:
    """Bug 6: an encoder that is not told the sample rate takes 24 kHz audio for 22.05 kHz audio."""

    @dataclass(frozen=True, kw_only=True)
    class Mislabelled(cls):  # type: ignore[valid-type,misc]
        def encode(self, pcm: NDArray[np.int16], sample_rate: int) -> bytes:
            del sample_rate
            return super().encode(pcm, 22_050)

    with pytest.raises(AttackError, match=r"must come back at 16000 Hz: its file is labelled .* Got 22050 Hz"):
        run(Mislabelled(**cls.standard()[0].params), music)


@pytest.mark.parametrize("attack", FFMPEG, ids=by_id)
def test_a_failing_encoder_raises(
    run: Callable[..., Audio], music: Audio, monkeypatch: pytest.MonkeyPatch, attack: FFmpegCodec
) -> None:
    """Bugs 2 and 12: a failure is no result."""

    def fail(*args: Any, **kwargs: Any) -> None:
        raise av.error.InvalidDataError(1, "no such thing")

    monkeypatch.setattr(av, "open", fail)
    with pytest.raises(AttackError, match=r"failed to encode .* no such thing"):
        run(attack, music)


@pytest.mark.parametrize("attack", FFMPEG, ids=by_id)
def test_a_missing_encoder_raises_and_is_unavailable(
    run: Callable[..., Audio], music: Audio, monkeypatch: pytest.MonkeyPatch, attack: FFmpegCodec
) -> None:
    monkeypatch.setattr(type(attack), "encoder", "nonesuch")
    assert "no encoder 'nonesuch'" in (type(attack).unavailable() or "")
    with pytest.raises(AttackError, match="nonesuch failed to encode"):
        run(attack, music)


@pytest.mark.parametrize("attack", FFMPEG, ids=by_id)
def test_a_missing_decoder_raises_and_is_unavailable(
    run: Callable[..., Audio], music: Audio, monkeypatch: pytest.MonkeyPatch, attack: FFmpegCodec
) -> None:
    monkeypatch.setattr(type(attack), "decoder", "nonesuch")
    assert "no decoder 'nonesuch'" in (type(attack).unavailable() or "")
    with pytest.raises(AttackError, match="nonesuch failed to decode"):
        run(attack, music)


@pytest.mark.parametrize("attack", ONE_OF_EACH, ids=by_id)
def test_a_damaged_file_raises(
    run: Callable[..., Audio], music: Audio, monkeypatch: pytest.MonkeyPatch, attack: Codec
) -> None:
    monkeypatch.setattr(type(attack), "encode", lambda self, pcm, sample_rate: b"rubbish" * 99)
    with pytest.raises(AttackError, match="decode"):
        run(attack, music)


@pytest.mark.parametrize("attack", [MP3(bitrate_kbps=64), Vorbis(quality=4), FLAC()], ids=by_id)
def test_lost_audio_raises(
    run: Callable[..., Audio], music: Audio, monkeypatch: pytest.MonkeyPatch, attack: Codec
) -> None:
    whole = type(attack).decode

    def shorter(self: Codec, data: bytes, rate: int) -> Decoded:
        decoded = whole(self, data, rate)
        return libav.Decoded(decoded.audio[: 15_999 + attack.delay], decoded.sample_rate, decoded.bitrate_kbps)

    monkeypatch.setattr(type(attack), "decode", shorter)
    with pytest.raises(AttackError, match=rf"^{attack.id} lost audio: 15999 of 16000 samples came back"):
        run(attack, music)


def test_a_failing_lame_raises(run: Callable[..., Audio], music: Audio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bugs 2 and 12: LAME refuses 16 kHz audio that shall come out at 1 Hz."""
    monkeypatch.setattr(MP3, "settings", lambda self: {"out_sample_rate": 1})
    with pytest.raises(AttackError, match=r"LAME failed to encode 18257 samples for mp3.64kbps: .+"):
        run(MP3(bitrate_kbps=64), music)


def test_a_wrong_bitrate_breaks_the_claim_of_mp3(music: Audio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bug 1: LAME takes 64 bit/s for the lowest rate it knows, or refuses it; it never counts as 64 kbit/s."""
    monkeypatch.setattr(MP3, "settings", lambda self: {"bit_rate": 8})
    assert broken_claims(MP3(bitrate_kbps=64), music) == {"bitrate_kbps"}


def test_a_failing_vorbis_encoder_raises(
    run: Callable[..., Audio], music: Audio, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise soundfile.LibsndfileError(1, "broken: ")

    monkeypatch.setattr(soundfile, "SoundFile", fail)
    with pytest.raises(AttackError, match=r"libvorbis failed to encode .* at quality 4: broken"):
        run(Vorbis(quality=4), music)


def test_vorbis_without_libvorbis_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soundfile, "available_subtypes", lambda file_format: {"OPUS": "Opus"})
    assert "has no Vorbis: pip install" in (Vorbis.unavailable() or "")


def test_frames_of_short_clips_are_found_again(run: Callable[..., Audio]) -> None:
    """A bare layer-II stream of two frames is not always recognised by FFmpeg."""
    rng = np.random.default_rng(0)
    for samples in (1, 3, 10, 100, 1600):
        clip = (0.3 * rng.standard_normal((1, samples))).astype(np.float32)
        assert run(MP2(bitrate_kbps=16), clip).shape == clip.shape


def test_long_clips_do_not_crash_libsndfile(run: Callable[..., Audio], music: Audio) -> None:
    long = np.tile(music[:1], (1, 10))
    assert run(Vorbis(quality=0), long).shape == long.shape


@pytest.mark.parametrize(
    ("attack", "rate", "rates"),
    [
        (MP3(bitrate_kbps=64), 44_100, "16000, 22050, 24000"),
        (MP2(bitrate_kbps=64), 48_000, "16000, 22050, 24000"),
        (AAC(bitrate_kbps=64), 8000, "16000, 22050, 24000, 32000, 44100, 48000"),
        (Opus(bitrate_kbps=64), 48_000, "8000, 12000, 16000"),
        (Vorbis(quality=4), 4000, "16000, 22050, 24000, 32000, 44100, 48000"),
        (WMA(bitrate_kbps=64), 44_100, "16000"),
        (SBC(bitrate_kbps=64), 44_100, "16000"),
    ],
    ids=str,
)
def test_a_sample_rate_at_which_the_strengths_do_not_hold_is_refused(
    run: Callable[..., Audio], music: Audio, attack: Codec, rate: int, rates: str
) -> None:
    text = f"The sample rate for {attack.name} must be one of {rates} Hz; resample the corpus. Got {rate}."
    with pytest.raises(AttackError, match=re.escape(text)):
        run(attack, music, rate)


@pytest.mark.parametrize(
    ("cls", "strength", "accepted"),
    [
        (MP3, 192, "8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160"),  # bug 7: the same file as 160
        (MP3, 12, "8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160"),  # bug 7: the same file as 8
        (MP2, 128, "16, 24, 32, 40, 48, 56, 64, 80, 96"),  # the same audio as 96
        (AAC, 128, "16, 24, 32, 40, 48, 56, 64"),  # bug 8: the same file as 256
        (Opus, 510, "8, 12, 16, 24, 32, 48, 64, 96, 128"),  # bug 8: refused by libopus
        (WMA, 16, "24, 32, 48, 64, 96, 128"),
        (SBC, 320, "16, 24, 32, 48, 64, 96, 128"),
    ],
)
def test_a_bitrate_without_effect_is_refused_with_those_that_have_one(cls: Any, strength: int, accepted: str) -> None:
    assert issubclass(cls, (BitrateCodec, MP3))
    with pytest.raises(AttackError, match=re.escape(f"{cls.name} must be one of {accepted}. Got {strength}.")):
        cls(bitrate_kbps=strength)


def test_a_quality_that_is_not_on_the_scale_is_refused() -> None:
    with pytest.raises(
        AttackError, match=r"'quality' of vorbis must be a whole number of at least 0 and of at most 10"
    ):
        Vorbis(quality=11)
    with pytest.raises(AttackError, match=r"'quality' of mp3_vbr must be one of 0, 2, 5, 9. Got 3."):
        MP3VBR(quality=3)
