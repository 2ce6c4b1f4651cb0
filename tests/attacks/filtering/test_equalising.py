"""Equalisers: the gain where it is said to be, none where it is not, and the delay that is stated."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import signal

from sealproof.attacks import Attack, AttackError, Audio
from sealproof.attacks.filtering.equalising import Equaliser, HighShelf, LowShelf, Peaking, SpectralTilt
from sealproof.attacks.filtering.zero_phase import octaves
from sealproof.attacks.testing import broken_claims
from sealproof.attacks.verification.measure import level_change_db

RATE = 16_000
BIQUADS = (LowShelf, HighShelf, Peaking)
STANDARD = [attack for cls in (*BIQUADS, Equaliser, SpectralTilt) for attack in cls.standard()]


def response_db(run: Callable[..., Audio], tone: Callable[..., Audio], attack: Attack, frequency: float) -> float:
    """Change of level of a sine, measured away from the ends."""
    sine = tone(frequency, amplitude=0.1)
    return level_change_db(sine[:, 4000:12_000], run(attack, sine)[:, 4000:12_000])[0]


def analogue(attack: Any) -> tuple[list[float], ...]:
    """Numerator and denominator of the filters in the cookbook, before the bilinear transform; centre 1."""
    a = 10 ** (attack.gain_db / 40)
    if attack.name == "peaking":
        return [1, a / attack.quality, 1], [1, 1 / (a * attack.quality), 1]
    root = np.sqrt(2 * a)  # sqrt(A) / Q for slope 1
    low = ([a, a * root, a * a], [a, root, 1])
    return low if attack.name == "low_shelf" else ([a * a, a * root, a], [1, root, a])


@pytest.mark.parametrize("cls", BIQUADS)
@pytest.mark.parametrize("centre", [100, 3000])
@pytest.mark.parametrize("gain", [-12, 6])
def test_a_section_is_the_bilinear_transform_of_its_analogue_filter(
    run: Callable[..., Audio], cls: type[HighShelf | LowShelf | Peaking], centre: int, gain: int
) -> None:
    attack = cls(centre_hz=centre, gain_db=gain)
    numerator, denominator = (np.array(each, dtype=float) for each in analogue(attack))
    scale = 2 * RATE * np.tan(np.pi * centre / RATE)  # rad/s, so that the centre stays in place
    powers = scale ** np.arange(2, -1, -1.0)
    b, a = signal.bilinear(numerator / powers, denominator / powers, RATE)
    impulse = np.zeros((1, 4000), dtype=np.float32)
    impulse[0, 0] = 1
    np.testing.assert_allclose(run(attack, impulse)[0], signal.lfilter(b, a, impulse[0].astype(float)), atol=1e-6)


@pytest.mark.parametrize("gain", [-12, -6, 6, 12])
def test_the_shelves_are_flat_on_either_side_and_halfway_at_the_centre(
    run: Callable[..., Audio], tone: Callable[..., Audio], gain: int
) -> None:
    for attack, full, none in ((LowShelf(centre_hz=1000, gain_db=gain), 50, 7500),
                               (HighShelf(centre_hz=1000, gain_db=gain), 7500, 50)):  # fmt: skip
        assert response_db(run, tone, attack, full) == pytest.approx(gain, abs=0.05)
        assert response_db(run, tone, attack, 1000) == pytest.approx(gain / 2, abs=0.05)
        assert response_db(run, tone, attack, none) == pytest.approx(0, abs=0.05)


def test_the_peak_is_as_wide_as_its_quality_says(run: Callable[..., Audio], tone: Callable[..., Audio]) -> None:
    attack = Peaking(centre_hz=500, gain_db=12, quality=2)
    half = 1 / (2 * 2)
    assert response_db(run, tone, attack, 500) == pytest.approx(12, abs=0.05)
    for edge in (np.sqrt(1 + half**2) - half, np.sqrt(1 + half**2) + half):
        assert response_db(run, tone, attack, 500 * edge) == pytest.approx(6, abs=0.15)
    assert response_db(run, tone, attack, 7000) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize(("gain", "delay"), [(12, 12), (-12, -12), (6, 6)])
def test_the_low_shelf_delays_by_what_its_docstring_says(
    run: Callable[..., Audio], tone: Callable[..., Audio], gain: int, delay: int
) -> None:
    """The phase of a sine where the delay is largest, in samples."""
    attack = LowShelf(gain_db=gain)
    phases = []
    for frequency in (80, 120, 160, 200):
        sine = tone(frequency)
        carrier = np.exp(-2j * np.pi * frequency * np.arange(4000, 12_000) / RATE)
        shift = np.angle((run(attack, sine)[0, 4000:12_000] @ carrier) / (sine[0, 4000:12_000] @ carrier))
        phases.append(-shift / (2 * np.pi * frequency) * RATE)
    assert max(phases, key=abs) == pytest.approx(delay, abs=1)
    assert max(map(abs, phases)) <= abs(delay) + 0.1


def test_the_sliders_stand_where_they_were_drawn(tone: Callable[..., Audio]) -> None:
    attack = Equaliser(range_db=12)
    gains = np.random.default_rng(5).uniform(-12, 12, 8)
    assert octaves(RATE) == [62.5, 125, 250, 500, 1000, 2000, 4000, 8000]
    for centre, gain in zip(octaves(RATE)[:7], gains, strict=False):
        sine = tone(centre, amplitude=0.1)
        after = attack(sine, RATE, [5])
        assert level_change_db(sine[:, 4000:12_000], after[:, 4000:12_000])[0] == pytest.approx(gain, abs=0.05)


def test_halfway_between_two_octaves_the_gain_is_halfway(tone: Callable[..., Audio]) -> None:
    gains = np.random.default_rng(5).uniform(-6, 6, 8)
    sine = tone(1000 * np.sqrt(2))
    after = Equaliser(range_db=6)(sine, RATE, [5])
    change = level_change_db(sine[:, 4000:12_000], after[:, 4000:12_000])[0]
    assert change == pytest.approx((gains[4] + gains[5]) / 2, abs=0.05)


@pytest.mark.parametrize("slope", [-6, -1, 3, 6])
def test_the_tilt_has_its_slope_and_turns_about_1_khz(
    run: Callable[..., Audio], tone: Callable[..., Audio], slope: int
) -> None:
    attack = SpectralTilt(slope_db=slope)
    for frequency in (125, 250, 1000, 4000):
        change = response_db(run, tone, attack, frequency)
        assert change == pytest.approx(slope * np.log2(frequency / 1000), abs=0.05)
    assert response_db(run, tone, attack, 20) == pytest.approx(-4 * slope, abs=0.1), "constant below 62.5 Hz"


@pytest.mark.parametrize("attack", [Equaliser(range_db=12), SpectralTilt(slope_db=-6)])
@pytest.mark.parametrize("samples", [8000, 8001])
def test_the_curves_have_zero_phase_and_do_not_wrap_around(
    run: Callable[..., Audio], attack: Equaliser | SpectralTilt, samples: int
) -> None:
    impulse = np.zeros((1, samples), dtype=np.float32)
    impulse[0, 4000] = 1
    response = run(attack, impulse)[0]
    np.testing.assert_allclose(response[1:4000], response[4001:8000][::-1], atol=1e-6)
    last = np.zeros((1, samples), dtype=np.float32)
    last[0, -1] = 1
    assert np.abs(run(attack, last)[0, :3000]).max() < 1e-3, "the end rings into the padding, not into the start"


@pytest.mark.parametrize("cls", BIQUADS)
def test_a_centre_at_half_the_sample_rate_is_refused(
    run: Callable[..., Audio], music: Audio, cls: type[HighShelf | LowShelf | Peaking]
) -> None:
    text = rf"The 'centre_hz' of {cls.name} must be below 8000 Hz, half the sample rate. Got 8000."
    with pytest.raises(AttackError, match=text):
        run(cls(centre_hz=8000, gain_db=6), music)


@pytest.mark.parametrize("cls", BIQUADS)
def test_no_gain_is_refused(cls: type[HighShelf | LowShelf | Peaking]) -> None:
    with pytest.raises(AttackError, match=f"The 'gain_db' of {cls.name} must be .* other than 0"):
        cls(gain_db=0)


# The claims must fail where an attack does something else.


@pytest.mark.parametrize("attack", STANDARD, ids=lambda attack: attack.id)
def test_doing_nothing_is_found(music: Audio, attack: Attack) -> None:
    assert broken_claims(attack, music, music + np.float32(1e-6)) & {claim.quantity for claim in attack.claims(RATE)}


@pytest.mark.parametrize("attack", [a for a in STANDARD if not a.is_random], ids=lambda attack: attack.id)
def test_the_opposite_is_found(run: Callable[..., Audio], music: Audio, attack: Attack) -> None:
    strength = "slope_db" if attack.name == "spectral_tilt" else "gain_db"
    opposite = type(attack)(**{**attack.params, strength: -float(attack.params[strength])})
    assert broken_claims(attack, music, run(opposite, music)) & {claim.quantity for claim in attack.claims(RATE)}


def test_a_gain_in_power_for_one_in_amplitude_is_found(run: Callable[..., Audio], music: Audio) -> None:
    """6 dB as 10^(6/10): a confusion of 20 and 10 that a published benchmark has."""
    for cls in BIQUADS:
        assert broken_claims(cls(gain_db=6), music, run(cls(gain_db=12), music)) == {"response_error_db"}
    assert broken_claims(SpectralTilt(slope_db=3), music, run(SpectralTilt(slope_db=6), music)) >= {
        "slope_db_per_octave"
    }
    loud = [run(Equaliser(range_db=40), music)]
    assert broken_claims(Equaliser(range_db=6), music, loud[0]) == {"largest_octave_change_db"}


def test_a_late_equaliser_is_found(run: Callable[..., Audio], music: Audio) -> None:
    late = np.roll(run(HighShelf(gain_db=6), music), 4, axis=1)
    assert broken_claims(HighShelf(gain_db=6), music, late) == {"response_error_db", "delay_samples"}


def test_what_cannot_be_measured_is_nan() -> None:
    silence = np.zeros((1, RATE), dtype=np.float32)
    short = np.ones((1, 1), dtype=np.float32)
    for attack in STANDARD:
        for clips in (silence, short):
            assert all(np.isnan(values).all() for values in attack.evidence(clips, clips, RATE).values())
