"""Filters: -6 dB at the cut-off (-3 dB for each of two passes), steep beyond it, flat inside, and no delay."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from scipy import signal

from sealproof.attacks import Attack, AttackError, Audio
from sealproof.attacks.filtering.bands import Bandpass, Bandstop, Highpass, Lowpass, Notch, RandomBandstop
from sealproof.attacks.filtering.zero_phase import ZeroPhaseFilter, band_change_db, phase_delay, response_error_db
from sealproof.attacks.testing import broken_claims
from sealproof.attacks.verification.measure import lag_samples, level_change_db, snr_db

RATE = 16_000
CLASSES = (Lowpass, Highpass, Bandpass, Bandstop, RandomBandstop, Notch)
STANDARD = [attack for cls in CLASSES for attack in cls.standard()]


@pytest.fixture(scope="module")
def white() -> Audio:
    """Two seconds of white noise in two clips."""
    return (0.1 * np.random.default_rng(3).standard_normal((2, RATE))).astype(np.float32)


def response_db(run: Callable[..., Audio], tone: Callable[..., Audio], attack: Attack, frequency: float) -> float:
    """Change of level of a sine, measured away from the ends."""
    sine = tone(frequency)
    return level_change_db(sine[:, 4000:12_000], run(attack, sine)[:, 4000:12_000])[0]


@pytest.mark.parametrize("attack", [Lowpass(cutoff_hz=1000), Lowpass(cutoff_hz=4000), Highpass(cutoff_hz=250)])
def test_response(run: Callable[..., Audio], tone: Callable[..., Audio], attack: Highpass | Lowpass) -> None:
    stopped, passed = (1.8, 1 / 1.8) if attack.name == "lowpass" else (1 / 1.8, 1.8)
    assert response_db(run, tone, attack, attack.cutoff_hz) == pytest.approx(-6.02, abs=0.1)
    assert response_db(run, tone, attack, attack.cutoff_hz * passed) == pytest.approx(0, abs=0.15)
    assert response_db(run, tone, attack, attack.cutoff_hz * stopped) < -35


def test_the_bandpass_has_both_edges(run: Callable[..., Audio], tone: Callable[..., Audio]) -> None:
    attack = Bandpass(low_hz=500, high_hz=2000)
    assert response_db(run, tone, attack, 500) == pytest.approx(-6.02, abs=0.1)
    assert response_db(run, tone, attack, 2000) == pytest.approx(-6.02, abs=0.1)
    assert response_db(run, tone, attack, 1000) == pytest.approx(0, abs=0.05)
    assert response_db(run, tone, attack, 200) < -40
    assert response_db(run, tone, attack, 4000) < -40


def test_the_bandstop_takes_its_width_and_no_more(run: Callable[..., Audio], tone: Callable[..., Audio]) -> None:
    attack = Bandstop(centre_hz=1000, width_hz=400)
    assert response_db(run, tone, attack, 800) == pytest.approx(-6.02, abs=0.1)
    assert response_db(run, tone, attack, 1200) == pytest.approx(-6.02, abs=0.1)
    assert response_db(run, tone, attack, 1000) < -60
    assert response_db(run, tone, attack, 500) == pytest.approx(0, abs=0.05)
    assert response_db(run, tone, attack, 2000) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("quality", [1, 5])
def test_the_notch_is_as_wide_as_its_quality_says(
    run: Callable[..., Audio], tone: Callable[..., Audio], quality: int
) -> None:
    attack = Notch(centre_hz=1000, quality=quality)
    half = 1 / (2 * quality)
    # The two frequencies with -3 dB a pass lie centre / quality apart, and the centre is their geometric mean.
    for edge in (np.sqrt(1 + half**2) - half, np.sqrt(1 + half**2) + half):
        # On the scale of the analogue prototype, which the bilinear transform bends.
        frequency = np.arctan(edge * np.tan(np.pi * 1000 / RATE)) * RATE / np.pi
        assert response_db(run, tone, attack, frequency) == pytest.approx(-6.02, abs=0.1)
    assert response_db(run, tone, attack, 1000) < -60


@pytest.mark.parametrize("attack", [*Lowpass.standard(), *Bandstop.standard(), Notch(quality=10)], ids=lambda a: a.id)
def test_no_delay(run: Callable[..., Audio], music: Audio, attack: ZeroPhaseFilter) -> None:
    assert (lag_samples(music, run(attack, music), 100) == 0).all()


@pytest.mark.parametrize(
    "attack", [Lowpass(cutoff_hz=2000), Highpass(cutoff_hz=500), Bandpass(), Bandstop(), Notch(quality=1)]
)
def test_an_impulse_response_is_symmetric(run: Callable[..., Audio], attack: ZeroPhaseFilter) -> None:
    impulse = np.zeros((1, 4001), dtype=np.float32)
    impulse[0, 2000] = 1
    response = run(attack, impulse)[0]
    np.testing.assert_allclose(response, response[::-1], atol=1e-6)
    assert response.argmax() == 2000


@pytest.mark.parametrize("samples", [1, 2, 10, 16, RATE])
def test_both_passes_are_those_of_scipy(run: Callable[..., Audio], music: Audio, samples: int) -> None:
    clips = music[:, 2000 : 2000 + samples]
    sections = signal.butter(4, 3000, fs=RATE, output="sos")
    theirs = signal.sosfiltfilt(sections, clips.astype(np.float64), axis=1, padlen=min(15, samples - 1))
    assert np.array_equal(run(Lowpass(cutoff_hz=3000), clips), theirs.astype(np.float32))


def test_dc_passes_the_lowpass_and_not_the_highpass(run: Callable[..., Audio]) -> None:
    dc = np.full((1, RATE), 0.5, dtype=np.float32)
    np.testing.assert_allclose(run(Lowpass(cutoff_hz=1000), dc), 0.5, atol=1e-5)
    np.testing.assert_allclose(run(Highpass(cutoff_hz=100), dc), 0, atol=1e-5)


def test_the_random_band_lies_where_the_fact_says(run: Callable[..., Audio], tone: Callable[..., Audio]) -> None:
    attack = RandomBandstop(width_hz=200)
    centres = attack.perform(tone(1000), RATE, [0]).facts["centre_hz"]
    assert response_db(run, tone, attack, centres[0]) < -60
    assert response_db(run, tone, attack, centres[0] + 200) > -0.5
    many = attack.perform(np.zeros((200, 4), np.float32), RATE, range(200)).facts["centre_hz"]
    assert (np.histogram(many, np.linspace(300, 4000, 5))[0] > 30).all(), "uniform between 300 and 4000 Hz"


# Bug 9 of the field: cut-offs at half the sample rate, where a low-pass is the identity and a high-pass is silence.


@pytest.mark.parametrize("attack", STANDARD, ids=lambda attack: attack.id)
def test_every_strength_takes_something_and_leaves_something(
    run: Callable[..., Audio], white: Audio, attack: Attack
) -> None:
    attacked = run(attack, white)
    assert (snr_db(white, attacked) < 30).all()
    assert (level_change_db(white, attacked) > -15).all()


def test_all_strengths_differ(run: Callable[..., Audio], white: Audio) -> None:
    clips = white[:, :4000]
    attacked = [run(attack, clips) for attack in STANDARD]
    for (i, first), (j, second) in itertools.combinations(enumerate(attacked), 2):
        assert (snr_db(first, second) < 40).all(), (STANDARD[i].id, STANDARD[j].id)


@pytest.mark.parametrize("cutoff", [8000, 9000])
@pytest.mark.parametrize("cls", [Lowpass, Highpass])
def test_a_cutoff_at_or_above_half_the_sample_rate_is_refused(
    run: Callable[..., Audio], music: Audio, cls: type[Highpass | Lowpass], cutoff: int
) -> None:
    text = f"The 'cutoff_hz' of {cls.name} must be below 8000 Hz, half the sample rate. Got {cutoff}."
    with pytest.raises(AttackError, match=text):
        run(cls(cutoff_hz=cutoff), music)


@pytest.mark.parametrize(
    ("attack", "parameter"),
    [
        (Bandpass(low_hz=300, high_hz=8000), "high_hz"),
        (Bandstop(centre_hz=7900, width_hz=200), r"centre_hz \+ width_hz / 2"),
        (Notch(centre_hz=8000), "centre_hz"),
    ],
)
def test_no_edge_may_lie_above_half_the_sample_rate(
    run: Callable[..., Audio], music: Audio, attack: ZeroPhaseFilter, parameter: str
) -> None:
    with pytest.raises(AttackError, match=f"The '{parameter}' of {attack.name} must be below 8000 Hz"):
        run(attack, music)


def test_the_random_band_refuses_a_sample_rate_whatever_the_seed(run: Callable[..., Audio], music: Audio) -> None:
    with pytest.raises(AttackError, match=r"must be below 4000 Hz, half the sample rate. Got 4100"):
        run(RandomBandstop(width_hz=200), music, 8000)


def test_a_band_must_have_a_width() -> None:
    with pytest.raises(AttackError, match=r"The 'low_hz' of bandpass must be below its 'high_hz' of 500. Got 500."):
        Bandpass(low_hz=500, high_hz=500)
    with pytest.raises(
        AttackError, match=r"The 'width_hz' of bandstop must be below 1000, twice its centre. Got 1000."
    ):
        Bandstop(centre_hz=500, width_hz=1000)


# The claims must fail where an attack does something else.


@pytest.mark.parametrize("attack", STANDARD, ids=lambda attack: attack.id)
def test_doing_nothing_is_found(music: Audio, white: Audio, attack: Attack) -> None:
    for clips in (music, white):
        faint = clips + np.float32(1e-6)  # not bit-identical, so that only the claims can tell
        if attack.is_random:
            verdict = attack.evidence(clips, faint, RATE)["stopband_change_db"]
            assert (verdict > -1).all()
        else:
            assert "stopband_change_db" in broken_claims(attack, clips, faint)


@pytest.mark.parametrize("attack", [a for a in STANDARD if not a.is_random], ids=lambda attack: attack.id)
def test_leaving_nothing_is_found(music: Audio, attack: ZeroPhaseFilter) -> None:
    assert "passband_change_db" in broken_claims(attack, music, np.zeros_like(music))


def test_the_wrong_filter_is_found(run: Callable[..., Audio], music: Audio) -> None:
    def wrong(claimed: ZeroPhaseFilter, done: ZeroPhaseFilter) -> set[str]:
        return broken_claims(claimed, music, run(done, music))

    assert wrong(Lowpass(cutoff_hz=3000), Lowpass(cutoff_hz=1500)) == {"passband_change_db"}
    assert wrong(Lowpass(cutoff_hz=3000), Lowpass(cutoff_hz=6000)) == {"stopband_change_db"}
    assert wrong(Highpass(cutoff_hz=500), Lowpass(cutoff_hz=500)) == {"passband_change_db", "stopband_change_db"}
    assert wrong(Bandpass(low_hz=500, high_hz=5000), Highpass(cutoff_hz=500)) == {"stopband_change_db"}
    assert wrong(Bandstop(centre_hz=1000), Bandstop(centre_hz=2000)) >= {"passband_change_db", "stopband_change_db"}


def test_a_causal_filter_is_found(music: Audio) -> None:
    sections = signal.butter(8, 1000, fs=RATE, output="sos")
    late = signal.sosfilt(sections, music.astype(np.float64), axis=1).astype(np.float32)
    assert "delay_samples" in broken_claims(Lowpass(cutoff_hz=1000), music, late)


# The measurements themselves.


def test_a_band_change_is_that_of_the_band_alone(white: Audio, tone: Callable[..., Audio]) -> None:
    louder = white + tone(1000, amplitude=0.5)
    change = band_change_db(white, louder, RATE, [(900, 1100), (2000, 4000)])
    assert (change[:, 0] > 20).all()
    np.testing.assert_allclose(change[:, 1], 0, atol=0.001)


def test_what_cannot_be_measured_is_nan(white: Audio, tone: Callable[..., Audio]) -> None:
    assert np.isnan(band_change_db(tone(1000), tone(1000), RATE, [(2000, 4000)])).all(), "nothing in the band"
    assert np.isnan(band_change_db(white[:, :100], white[:, :100], RATE, [(0, 1000)])).all(), "seven bins"
    assert band_change_db(white, 0 * white, RATE, [(0, 1000)]).tolist() == [[-np.inf], [-np.inf]]
    assert np.isnan(response_error_db(0 * white, white, RATE, np.ones_like)).all()
    assert np.isnan(phase_delay(0 * white[0], white[0], 0.1))


@pytest.mark.parametrize("delay", [-3, 0, 5])
def test_the_phase_tells_the_delay(music: Audio, delay: int) -> None:
    moved = np.roll(music[0], delay)
    assert phase_delay(music[0], moved, 0.05) == pytest.approx(delay, abs=0.01)


def test_a_response_error_is_relative_to_its_octave(white: Audio) -> None:
    """A hundredth of the energy of the loudest octave, all of the quietest: the quietest counts."""
    sections = signal.butter(8, 4000, "highpass", fs=RATE, output="sos")
    missing = signal.sosfiltfilt(sections, white.astype(np.float64), axis=1).astype(np.float32)
    error = response_error_db(white, white - missing, RATE, lambda hz: np.ones(hz.size, complex))
    assert (error > -3).all()
    np.testing.assert_allclose(
        response_error_db(white, 1.1 * white, RATE, lambda hz: np.ones(hz.size, complex)), -20, 0.01
    )
