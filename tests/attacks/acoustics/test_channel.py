"""Channels: air against the standard's table, the telephone against FFmpeg's G.711, loudspeaker and recording."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from sealproof.attacks import Attack, AttackError, Audio
from sealproof.attacks.acoustics.channel import (
    AirAbsorption,
    Doppler,
    Rerecord,
    SmallSpeaker,
    Telephone,
    air_attenuation_db_per_m,
    g711,
    windowed_band_change_db,
)
from sealproof.attacks.testing import broken_claims
from sealproof.attacks.verification.measure import lag_samples, level_change_db

CLASSES = (AirAbsorption, Telephone, SmallSpeaker, Rerecord, Doppler)


def broken(cls: type[Attack], parameters: dict[str, int] | None = None, **methods: Any) -> Any:
    """An instance of a subclass that still claims what its parent does."""
    return dataclass(frozen=True, kw_only=True)(cast("type[Any]", type("Broken", (cls,), methods)))(
        **(parameters or {})
    )


def response_db(run: Callable[..., Audio], tone: Callable[..., Audio], attack: Attack, frequency: float) -> float:
    """Change of level of a sine, measured away from the ends."""
    sine = tone(frequency)
    return level_change_db(sine[:, 4000:12_000], run(attack, sine)[:, 4000:12_000])[0]


@pytest.mark.parametrize(
    ("celsius", "humidity_percent", "table"),
    [
        (10, 70, (0.1, 0.4, 1.0, 1.9, 3.7, 9.7, 32.8, 117)),
        (20, 70, (0.1, 0.3, 1.1, 2.8, 5.0, 9.0, 22.9, 76.6)),
        (15, 50, (0.1, 0.5, 1.2, 2.2, 4.2, 10.8, 36.2, 129)),
    ],
)
def test_air_attenuates_as_in_table_2_of_iso_9613_2(
    celsius: int, humidity_percent: int, table: tuple[float, ...]
) -> None:
    exact_midbands = 1000 * 10 ** (0.3 * np.arange(-4, 4))  # nominally 63 Hz to 8 kHz
    attenuation = 1000 * air_attenuation_db_per_m(exact_midbands.astype(np.float64), celsius, humidity_percent)
    np.testing.assert_allclose(attenuation, table, rtol=0.005, atol=0.051)


@pytest.mark.parametrize(("frequency", "loss_db"), [(1000, 0.466), (4000, 2.97), (7000, 8.19)])
def test_a_tone_through_100_m_of_air(
    run: Callable[..., Audio], tone: Callable[..., Audio], frequency: int, loss_db: float
) -> None:
    assert response_db(run, tone, AirAbsorption(distance_m=100), frequency) == pytest.approx(-loss_db, rel=0.02)


def test_air_does_not_delay(run: Callable[..., Audio], music: Audio) -> None:
    assert (lag_samples(music, run(AirAbsorption(distance_m=1000), music), 100) == 0).all()


def test_air_of_half_the_distance_breaks_the_claim(music: Audio) -> None:
    half = broken(
        AirAbsorption,
        {"distance_m": 20},
        apply=lambda self, clip, rate, rng: AirAbsorption(distance_m=10).apply(clip, rate, rng),
    )
    assert broken_claims(half, music) == {"absorbed_db"}


def decoder_levels(codec: str) -> NDArray[np.float64]:
    """The magnitudes that FFmpeg's decoder knows, full scale at 32768."""
    decoder = av.CodecContext.create(codec, "r")
    decoder.sample_rate, decoder.layout = 8000, "mono"
    return np.unique(np.abs(decoder.decode(av.Packet(bytes(range(256))))[0].to_ndarray()[0].astype(float)))


# Decision values of tables 1 and 2 of G.711: in each segment as far apart as its steps.
ALAW = [
    *range(2, 65, 2),
    *(end - step * k for step, end in ((2 << s, 64 << s) for s in range(1, 7)) for k in range(16)),
]
MULAW = [end - step * k for step, end in ((2 << s, (64 << s) - 33) for s in range(8)) for k in range(16)]


@pytest.mark.parametrize(
    ("law", "codec", "full_scale", "borders"), [("mulaw", "pcm_mulaw", 8192, MULAW), ("alaw", "pcm_alaw", 4096, ALAW)]
)
def test_g711_decides_by_the_standard_and_decodes_as_ffmpeg_does(
    law: str, codec: str, full_scale: int, borders: list[int]
) -> None:
    # FFmpeg's own encoder takes the nearest level, which at the ends of a segment is not what the standard decides.
    levels = decoder_levels(codec)
    assert len(levels) == 128
    edges = np.sort(borders)[:127]
    magnitude = np.random.default_rng(3).random(50_000) ** 3
    wanted = levels[np.searchsorted(edges, magnitude * full_scale, side="right")] / 32_768
    np.testing.assert_array_equal(g711(magnitude, law), wanted)
    np.testing.assert_array_equal(g711(-magnitude, law), -wanted)


@pytest.mark.parametrize("law", ["mulaw", "alaw"])
def test_g711_keeps_its_signal_to_noise_ratio_over_30_db_and_clips_at_full_scale(law: str) -> None:
    sine = np.sin(2 * np.pi * 0.0613 * np.arange(8000))
    for level_db in (-3, -15, -30):
        scaled = sine * 10 ** (level_db / 20)
        error = g711(scaled, law) - scaled
        assert 10 * math.log10(np.mean(scaled**2) / np.mean(error**2)) == pytest.approx(36.4, abs=2)
    assert np.abs(g711(np.array([-9.0, 9.0]), law)).max() < 1
    assert np.abs(g711(np.zeros(1), law)).max() < 4e-4  # A-law has no zero


@pytest.mark.parametrize(
    ("frequency", "low", "high"),
    [(100, -np.inf, -30), (300, -6.5, -5.5), (1000, -0.1, 0.1), (3400, -6.5, -5.5), (5000, -np.inf, -60)],
)
def test_the_telephone_passes_its_band(
    run: Callable[..., Audio], tone: Callable[..., Audio], frequency: int, low: float, high: float
) -> None:
    assert low <= response_db(run, tone, Telephone(), frequency) < high


def test_the_telephone_runs_at_other_rates_and_refuses_too_low_ones(run: Callable[..., Audio], music: Audio) -> None:
    assert run(Telephone(), music, 48_000).shape == music.shape
    assert run(Telephone(), music, 8000).shape == music.shape
    with pytest.raises(AttackError, match=r"at least 8000 Hz\. Got 7999"):
        run(Telephone(), music, 7999)


@pytest.mark.parametrize("resonance", [300, 800])
def test_the_loudspeaker_is_a_second_order_high_pass(
    run: Callable[..., Audio], tone: Callable[..., Audio], resonance: int
) -> None:
    for ratio in (0.25, 0.5, 1, 2, 4):
        wanted = ratio**2 / math.hypot(1 - ratio**2, ratio / 1.4)
        response = response_db(run, tone, SmallSpeaker(resonance_hz=resonance), ratio * resonance)
        assert response == pytest.approx(20 * math.log10(wanted), abs=0.5)


def test_the_loudspeaker_is_causal_and_starts_at_once(run: Callable[..., Audio]) -> None:
    impulse = np.zeros((1, 400), dtype=np.float32)
    impulse[0, 50] = 1
    heard = run(SmallSpeaker(resonance_hz=500), impulse)[0]
    assert not heard[:50].any()
    assert heard.argmax() == 50


def test_a_loudspeaker_with_bass_breaks_its_claim(music: Audio) -> None:
    bass = broken(SmallSpeaker, {"resonance_hz": 500}, apply=lambda self, clip, rate, rng: clip * np.float32(1.4))
    assert broken_claims(bass, music) == {"octave_below_db"}


def test_a_resonance_at_half_the_sample_rate_is_refused(run: Callable[..., Audio], music: Audio) -> None:
    with pytest.raises(AttackError, match=r"must be below 4000 Hz, half the sample rate\. Got 4000"):
        run(SmallSpeaker(resonance_hz=4000), music, 8000)


@pytest.mark.parametrize(("distance", "drr_db", "noise_db"), [(0.5, 1.14, 26.02), (2, -10.9, 13.98)])
def test_what_reaches_the_microphone(
    run: Callable[..., Audio], music: Audio, distance: float, drr_db: float, noise_db: float
) -> None:
    """The critical distance of 40 m3 at 0.4 s is 0.57 m; the noise keeps its level while the sound falls."""
    attack = Rerecord(distance_m=distance)
    attacked = attack.perform(np.repeat(music, 4, axis=0), 16_000, range(8))
    np.testing.assert_allclose(attacked.facts["noise_snr_db"], noise_db, atol=0.2)
    others = attack.evidence(np.repeat(music, 4, axis=0), attacked.audio, 16_000)["speaker_snr_db"]
    assert np.mean(others) == pytest.approx(-10 * math.log10(10 ** (-drr_db / 10) + 10 ** (-noise_db / 10)), abs=1.5)


def test_a_recording_has_no_bass_and_a_dry_one_breaks_the_claim(run: Callable[..., Audio], music: Audio) -> None:
    assert (windowed_band_change_db(music, run(Rerecord(distance_m=0.1), music), 16_000, 50, 150) < -10).all()
    dry = broken(
        Rerecord,
        {"distance_m": 1},
        apply=lambda self, clip, rate, rng: Rerecord(distance_m=0.05).apply(clip, rate, rng),
    )
    assert broken_claims(dry, music) == {"noise_snr_db", "speaker_snr_db"}


def test_doppler_shifts_a_tone_by_the_speed(
    run: Callable[..., Audio], tone: Callable[..., Audio], peak_hz: Callable[[Audio], float]
) -> None:
    """Far from the listener the pitch is f c / (c - v) coming and f c / (c + v) going."""
    fast = run(Doppler(speed_kmh=123.48), tone(1000, samples=32_000))[0]  # a tenth of the speed of sound
    assert peak_hz(fast[4000:8000]) == pytest.approx(1000 / 0.9, rel=0.005)
    assert peak_hz(fast[26_000:30_000]) == pytest.approx(1000 / 1.1, rel=0.005)


def test_doppler_is_loudest_when_nearest_and_leaves_that_moment_alone(run: Callable[..., Audio], music: Audio) -> None:
    passed = run(Doppler(speed_kmh=60), music)
    assert (np.std(passed[:, 7000:9000], axis=1) > 2 * np.std(passed[:, :4000], axis=1)).all()
    np.testing.assert_allclose(passed[:, 8000], music[:, 8000], atol=0.02)


def test_the_wrong_speed_breaks_the_claim_of_doppler(music: Audio) -> None:
    slow = broken(
        Doppler, {"speed_kmh": 30}, apply=lambda self, clip, rate, rng: Doppler(speed_kmh=20).apply(clip, rate, rng)
    )
    assert broken_claims(slow, music) == {"traced_snr_db"}
