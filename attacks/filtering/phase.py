"""Phase: the magnitudes of the spectrum stay, and the waveform changes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.contract.base import Attack, AttackError, Audio, Claim, parameter
from sealproof.attacks.verification.measure import Floats, level_change_db
from sealproof.attacks.verification.profile import is_music

FRAME = 512
"""Samples in a frame of the short-time Fourier transform of `RandomPhase`: 32 ms at 16 kHz."""

HOP = FRAME // 4

QUALITY = 0.5**0.5
"""Of the sections of `Allpass`: the delay is as flat as can be below the centre frequency."""


@dataclass(frozen=True, kw_only=True)
class PhaseRotation(Attack):
    """Turns the phase of every frequency by the same angle, in degrees.

    The real part of e^(i angle) times the analytic signal (Oppenheim and Schafer, "Discrete-Time Signal Processing",
    on Hilbert transforms): x cos(angle) - H{x} sin(angle). It is done on the spectrum of the whole clip, taken as
    periodic; so level and spectrum stay exactly, but for DC and Nyquist, which have no phase and are scaled by
    cos(angle). The other half of a turn, 180 degrees, is a change of polarity and no matter of this attack.
    """

    name: ClassVar[str] = "phase_rotation"
    family: ClassVar[str] = "phase"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"angle_degrees": (30, 45, 90, 135)}
    # Where the phase is turned, the waveform has no delay that could be kept: each frequency has its own.
    keeps_alignment: ClassVar[bool] = False

    angle_degrees: float = parameter(unit="degrees", low=0, above_low=True, high=180, below_high=True)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Turn the spectrum of the clip."""
        from scipy import fft

        del sample_rate, rng
        spectrum = fft.rfft(clip.astype(np.float64)) * np.exp(1j * np.deg2rad(self.angle_degrees))
        return np.asarray(fft.irfft(spectrum, clip.size), dtype=np.float32)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The angle, the same for all frequencies, and the level."""
        return (
            Claim.about("rotation_degrees", self.angle_degrees, 0.1),
            Claim("coherence", low=0.999),
            Claim.about("level_change_db", 0, 0.1),
        )

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """Mean angle between the spectra, weighted by power; 1 where all frequencies agree."""
        from scipy import fft

        del sample_rate
        old, new = (fft.rfft(batch.astype(np.float64), axis=1)[:, 1:-1] for batch in (before, after))
        cross = np.sum(new * old.conj(), axis=1)
        norm = np.sqrt(np.sum(np.abs(old) ** 2, axis=1) * np.sum(np.abs(new) ** 2, axis=1))
        with np.errstate(invalid="ignore"):
            return {
                "rotation_degrees": np.where(norm > 0, np.rad2deg(np.angle(cross)), np.nan),
                "coherence": np.where(norm > 0, np.abs(cross) / norm, np.nan),
            }


@dataclass(frozen=True, kw_only=True)
class RandomPhase(Attack):
    """Turns the phase of every bin of the short-time spectrum by a random angle up to the given one, in degrees.

    Angles are uniform in [-max, max] and independent; Hann windows of 512 samples for analysis and synthesis, three
    quarters overlapped (Griffin and Lim, "Signal estimation from modified short-time Fourier transform", 1984). With
    c = sin(max) / max the wave keeps c of its amplitude, and the rest becomes noise of which the overlap leaves a
    quarter: the SNR is -10 log10((1 - c)^2 + (1 - c^2) / 4) dB.
    """

    name: ClassVar[str] = "random_phase"
    family: ClassVar[str] = "phase"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"max_degrees": (22.5, 45, 90, 180)}
    is_random: ClassVar[bool] = True

    max_degrees: float = parameter(unit="degrees", low=0, above_low=True, high=180)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Turn the bins of overlapping frames and add the frames up."""
        from scipy import fft, signal

        del sample_rate
        window = signal.get_window("hann", FRAME)
        hops = -(-clip.size // HOP) + 3  # every sample lies in four frames
        padded = np.zeros((hops + 3) * HOP)
        padded[FRAME - HOP : FRAME - HOP + clip.size] = clip
        frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP] * window
        spectra = fft.rfft(frames, axis=1)
        # In float32 sine and cosine are several times faster, and exact to 0.00001 degrees.
        angles = np.float32(np.deg2rad(self.max_degrees)) * (2 * rng.random(spectra.shape, dtype=np.float32) - 1)
        turned = fft.irfft(spectra * (np.cos(angles) + 1j * np.sin(angles)), FRAME, axis=1)
        quarters = (turned * window).reshape(-1, 4, HOP)
        added = np.sum([quarters[3 - part : hops - part, part] for part in range(4)], axis=0)
        wave = added.reshape(-1)[: clip.size] / 1.5  # the squares of four Hann windows add up to 1.5
        return np.asarray(wave, dtype=np.float32)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """What is left of the amplitude, and the SNR."""
        c = self._kept
        snr_db = -10 * math.log10((1 - c) ** 2 + (1 - c**2) / 4)
        scatter = 0.01 + 0.04 * math.sqrt(1 - c**2)
        claims = (Claim.about("kept_gain", c, scatter), Claim.about("snr_db", snr_db, 1))
        # Around 180 degrees too little is left of the wave to measure its delay.
        return claims if c > 0.2 else (*claims, Claim("delay_samples"))

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """How much of the clip is contained in the output: the regression of one on the other."""
        del sample_rate
        old, new = before.astype(np.float64), after.astype(np.float64)
        with np.errstate(invalid="ignore"):
            return {"kept_gain": np.sum(old * new, axis=1) / np.sum(old**2, axis=1)}

    @property
    def _kept(self) -> float:
        """Mean cosine of the angles."""
        return float(np.sinc(self.max_degrees / 180))


@dataclass(frozen=True, kw_only=True)
class Allpass(Attack):
    """Runs the clip through a chain of second-order all-pass filters, which delay low and high frequencies differently.

    Each has the poles of a resonator of quality 0.707 at the centre frequency and, mirrored in the unit circle, the
    zeros (Bristow-Johnson, "Cookbook formulae for audio EQ biquad filter coefficients"). A section delays its centre
    frequency w (radians per sample) by 4 Q / sin(w) samples, what lies below by nearly as much, and what lies above by
    ever less: 7.4 samples at 1 kHz and 0.6 at 4 kHz for a centre of 1 kHz and a sample rate of 16 kHz. The delay is not
    compensated, and what it moves beyond the end of the clip is lost.
    """

    name: ClassVar[str] = "allpass"
    family: ClassVar[str] = "phase"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"sections": (1, 4, 16, 64), "centre_hz": (250, 4000)}
    is_ordered: ClassVar[bool] = False
    keeps_alignment: ClassVar[bool] = False

    sections: int = parameter(unit="sections", kind=int, low=1, high=64, default=8)
    centre_hz: float = parameter(unit="hz", low=100, high=96_000, default=1000.0)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Filter the clip."""
        from scipy import signal

        del rng
        section = self._section(sample_rate)
        filtered = signal.sosfilt(np.tile(section, (self.sections, 1)), clip.astype(np.float64))
        return np.asarray(filtered, dtype=np.float32)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The phase is that of the filter, and the level stays but for what leaves the clip."""
        lost_s = self.sections * 4 * QUALITY / math.sin(2 * math.pi * self.centre_hz / sample_rate) / sample_rate
        return Claim("phase_error_degrees", high=10), Claim("kept_level_db", -0.3 - 10 * lost_s, 0.1)

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """Distance from the phase of the analogue prototype, which nine tenths of the frequencies do not exceed."""
        from scipy import fft

        window = np.hanning(before.shape[1])
        old, new = (fft.rfft(batch * window, axis=1)[:, 1:-1] for batch in (before, after))
        radians = np.pi * fft.rfftfreq(before.shape[1])[1:-1]
        relative = np.tan(radians) / np.tan(np.pi * self.centre_hz / sample_rate)  # 1 at the centre
        phase = -2 * self.sections * np.arctan2(relative / QUALITY, 1 - relative**2)
        cross = new * (old * np.exp(1j * phase)).conj()
        if not cross.any():
            return {name: np.full(len(before), np.nan) for name in ("phase_error_degrees", "kept_level_db")}
        # Where a clip holds next to nothing there is no phase: above what it was resampled from, say.
        held = np.abs(old) > 1e-5 * np.abs(old).max(axis=1, keepdims=True)
        held[~held.any(axis=1)] = True  # silence, which is not judged anyway
        error = np.nanpercentile(np.where(held, np.abs(np.angle(cross, deg=True)), np.nan), 90, axis=1)
        # Between the partials of a tone, and in a clip not much longer than the filter rings, there is no phase.
        told = is_music(before, sample_rate)
        level = np.where(told, level_change_db(before, after), np.nan)
        return {"phase_error_degrees": np.where(told, error, np.nan), "kept_level_db": level}

    def _section(self, sample_rate: int) -> NDArray[np.float64]:
        if self.centre_hz >= sample_rate / 2:
            raise AttackError(
                f"The 'centre_hz' of allpass must be below {sample_rate / 2:g} Hz, half the sample rate. "
                f"Got {self.centre_hz:g}."
            )
        angle = 2 * np.pi * self.centre_hz / sample_rate
        alpha = np.sin(angle) / (2 * QUALITY)
        b = np.array([1 - alpha, -2 * np.cos(angle), 1 + alpha])
        return np.asarray(np.concatenate([b, b[::-1]]) / (1 + alpha))
