"""Speech codecs: the band of the channel, the bitrate of the standard, no delay, and failures that are failures."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import soundfile

from sealproof.attacks import Attack, AttackError, Audio, Claim
from sealproof.attacks.codec.base import Codec, FFmpegCodec
from sealproof.attacks.codec.speech import ADPCM, AMRNB, G722, G726, G7231, GSM, MSBC, SpeechCodec
from sealproof.attacks.testing import broken_claims
from sealproof.attacks.verification.measure import lag_samples, snr_db

RATE = 16_000
CODECS: list[type[Codec]] = [ADPCM, AMRNB, G722, G726, G7231, GSM, MSBC]
STANDARD = [attack for cls in CODECS for attack in cls.standard()]
AT_8_KHZ = [AMRNB(bitrate_kbps=12.2), G726(bitrate_kbps=32), G7231(), GSM()]
ONE_OF_EACH = [*AT_8_KHZ, ADPCM(), G722(), MSBC()]


def by_id(attack: Attack) -> str:
    return attack.id


def test_every_codec_can_be_run_here() -> None:
    assert [cls.unavailable() for cls in CODECS] == [None] * len(CODECS)


@pytest.mark.parametrize("attack", STANDARD, ids=by_id)
def test_no_delay_and_no_missing_tail(run: Callable[..., Audio], chirp: Audio, attack: Codec) -> None:
    out = run(attack, chirp)
    assert abs(lag_samples(chirp, out, 2000)[0]) <= 1
    assert np.abs(out[0, -300:]).mean() > 0.1 * np.abs(chirp[0, -300:]).mean()


@pytest.mark.parametrize("rate", [8000, 22_050, 44_100])
@pytest.mark.parametrize("attack", AT_8_KHZ, ids=by_id)
def test_clips_of_other_sample_rates_are_resampled(
    run: Callable[..., Audio], chirp: Audio, attack: SpeechCodec, rate: int
) -> None:
    out = run(attack, chirp, rate)
    assert out.shape == chirp.shape
    assert abs(lag_samples(chirp, out, 2000)[0]) <= rate / 8000


@pytest.mark.parametrize("attack", [*AT_8_KHZ, G722()], ids=by_id)
def test_a_sample_rate_below_that_of_the_codec_is_refused(
    run: Callable[..., Audio], chirp: Audio, attack: SpeechCodec
) -> None:
    text = f"The sample rate for {attack.name} must be at least {attack.codec_hz} Hz, that of the codec. Got 4000."
    with pytest.raises(AttackError, match=re.escape(text)):
        run(attack, chirp, 4000)


@pytest.mark.parametrize("attack", AT_8_KHZ, ids=by_id)
def test_a_codec_at_8_khz_leaves_nothing_above_4_khz(run: Callable[..., Audio], attack: SpeechCodec) -> None:
    noise = (0.1 * np.random.default_rng(3).standard_normal((1, RATE))).astype(np.float32)
    power = np.abs(np.fft.rfft(run(attack, noise)[0])) ** 2
    assert power[4200:].sum() < 1e-5 * power[300:3400].sum()


@pytest.mark.parametrize("attack", [ADPCM(), G722(), MSBC()], ids=by_id)
def test_a_wide_band_codec_keeps_what_lies_above_4_khz(
    run: Callable[..., Audio], tone: Callable[..., Audio], attack: FFmpegCodec
) -> None:
    clip = tone(5500.0, 0.3)
    assert snr_db(clip, run(attack, clip))[0] > 10


@pytest.mark.parametrize("attack", ONE_OF_EACH, ids=by_id)
def test_a_tone_of_the_telephone_band_survives(
    run: Callable[..., Audio], tone: Callable[..., Audio], peak_hz: Callable[[Audio], float], attack: Codec
) -> None:
    out = run(attack, tone(1000.0, 0.3))[0]
    assert peak_hz(out) == pytest.approx(1000, abs=2)
    assert np.sqrt(np.mean(out.astype(np.float64) ** 2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.3)


@pytest.mark.parametrize(
    ("attack", "kbps"),
    [
        (GSM(), 33 * 8 / 20),  # bytes a frame, 8 bits, ms a frame
        (G722(), 64),
        (G726(bitrate_kbps=40), 40),
        (G726(bitrate_kbps=16), 16),
        (G7231(), 24 * 8 / 30),
        (ADPCM(), 1024 * 8 / (2041 / 16)),
        (AMRNB(bitrate_kbps=12.2), 32 * 8 / 20),  # RFC 4867: 244 bits are 31 bytes, and one of header
        (AMRNB(bitrate_kbps=7.95), 21 * 8 / 20),
        (AMRNB(bitrate_kbps=4.75), 13 * 8 / 20),
        (MSBC(), 57 * 8 / 7.5),
    ],
    ids=str,
)
def test_the_bitrate_is_that_of_the_standard(music: Audio, attack: Codec, kbps: float) -> None:
    np.testing.assert_allclose(attack.perform(music, RATE, range(2)).facts["bitrate_kbps"], kbps, rtol=1e-6)


@pytest.mark.parametrize("cls", [AMRNB, G726])
def test_all_strengths_give_different_audio(run: Callable[..., Audio], music: Audio, cls: type[AMRNB | G726]) -> None:
    outputs = [run(attack, music[:1]).tobytes() for attack in cls.standard()]
    assert len(set(outputs)) == len(outputs)


@pytest.mark.parametrize("cls", [AMRNB, G726])
def test_a_weaker_attack_has_a_higher_snr(run: Callable[..., Audio], music: Audio, cls: type[AMRNB | G726]) -> None:
    snrs = [snr_db(music, run(attack, music)).mean() for attack in cls.standard()]
    assert all(weaker > stronger - 0.1 for weaker, stronger in pairwise(snrs)), snrs
    assert snrs[-1] < snrs[0] - 1.5


@pytest.mark.parametrize("cls", [G722, MSBC, G7231, AMRNB])
def test_a_delay_that_is_not_removed_breaks_the_claim(music: Audio, cls: type[Attack]) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Late(cls):  # type: ignore[valid-type,misc]
        delay = 0

    broken = broken_claims(Late(**cls.standard()[0].params), music)
    assert broken == ({"speech_band_delay_ms", "delay_samples"} if cls is AMRNB else {"delay_samples"})


def test_another_rate_than_the_stated_one_breaks_the_claim(music: Audio) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Lower(AMRNB):
        @property
        def bit_rate(self) -> int:
            return 4750

        def claims(self, sample_rate: int) -> tuple[Claim, ...]:
            return AMRNB(bitrate_kbps=self.bitrate_kbps).claims(sample_rate)

    assert broken_claims(Lower(bitrate_kbps=12.2), music) == {"bitrate_kbps"}


def test_bass_is_delayed_by_the_high_pass_of_amr_and_speech_is_not(music: Audio, tone: Callable[..., Audio]) -> None:
    """Why the delay of AMR-NB is claimed in the telephone band."""
    attack = AMRNB(bitrate_kbps=12.2)
    bass_heavy = 0.3 * music + tone(90.0, 0.4)
    out = attack(bass_heavy, RATE, range(2))
    assert (lag_samples(bass_heavy, out, 80) > 8).all()
    assert (np.abs(attack.evidence(bass_heavy, out, RATE)["speech_band_delay_ms"]) <= 1000 / 8000).all()


@pytest.mark.parametrize("attack", ONE_OF_EACH, ids=by_id)
def test_clips_do_not_bleed_into_each_other(run: Callable[..., Audio], music: Audio, attack: Codec) -> None:
    """Bug 5."""
    batch = np.concatenate([music[:1], np.zeros_like(music[:1])])
    assert np.abs(run(attack, batch)[1]).max() < 1e-3
    assert np.array_equal(run(attack, batch)[0], run(attack, music[:1])[0])


@pytest.mark.parametrize("attack", ONE_OF_EACH, ids=by_id)
def test_a_damaged_file_raises(
    run: Callable[..., Audio], music: Audio, monkeypatch: pytest.MonkeyPatch, attack: Codec
) -> None:
    """Bugs 2 and 12: a failure is no result."""
    monkeypatch.setattr(type(attack), "encode", lambda self, pcm, sample_rate: b"")
    with pytest.raises(AttackError, match="decode"):
        run(attack, music)


@pytest.mark.parametrize("attack", [attack for attack in ONE_OF_EACH if attack.name != "gsm"], ids=by_id)
def test_a_missing_encoder_raises_and_is_unavailable(
    run: Callable[..., Audio], music: Audio, monkeypatch: pytest.MonkeyPatch, attack: FFmpegCodec
) -> None:
    monkeypatch.setattr(type(attack), "encoder", "nonesuch")
    assert "no encoder 'nonesuch'" in (type(attack).unavailable() or "")
    with pytest.raises(AttackError, match="nonesuch failed to encode"):
        run(attack, music)


def test_a_failing_gsm_encoder_raises(run: Callable[..., Audio], music: Audio, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise soundfile.LibsndfileError(1, "broken: ")

    monkeypatch.setattr(soundfile, "write", fail)
    with pytest.raises(AttackError, match=r"libgsm failed to encode .* broken"):
        run(GSM(), music)


def test_gsm_without_libgsm_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soundfile, "available_subtypes", lambda file_format: {"PCM_16": "PCM"})
    assert "has no GSM: pip install" in (GSM.unavailable() or "")


@pytest.mark.parametrize(
    ("cls", "strength", "accepted"),
    [
        (AMRNB, 12.65, "4.75, 5.15, 5.9, 6.7, 7.4, 7.95, 10.2, 12.2"),  # a rate of AMR-WB
        (G726, 64, "16, 24, 32, 40"),
    ],
)
def test_a_rate_that_the_codec_has_not_is_refused_with_those_that_it_has(
    cls: Any, strength: float, accepted: str
) -> None:
    with pytest.raises(AttackError, match=re.escape(f"{cls.name} must be one of {accepted}. Got {strength}.")):
        cls(bitrate_kbps=strength)
