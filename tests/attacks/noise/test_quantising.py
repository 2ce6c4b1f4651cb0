"""Quantisers have the stated step and range; G.711 has the numbers of the recommendation and of FFmpeg."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from sealproof.attacks import Attack, AttackError, Audio
from sealproof.attacks.noise.quantising import ALaw, DitheredQuantise, MuLaw, Quantise, QuantiseLevels
from sealproof.attacks.testing import broken_claims

RATE = 16_000
CLASSES: list[type[Attack]] = [Quantise, DitheredQuantise, QuantiseLevels, MuLaw, ALaw]
STANDARD = [attack for cls in CLASSES for attack in cls.standard()]


@pytest.mark.parametrize("attack", [cls.standard()[-1] for cls in CLASSES], ids=lambda attack: attack.id)
def test_an_attack_that_does_nothing_breaks_its_claims(attack: Attack, music: Audio) -> None:
    assert broken_claims(attack, music, music) - {"is_noop"}


class TestQuantise:
    """A mid-tread quantiser of integer PCM."""

    def test_the_ids_of_old_still_hold(self) -> None:
        assert Quantise.from_id("quantise.8bits") == Quantise(bits=8)

    @pytest.mark.parametrize("bits", [2, 4, 8, 12, 16])
    def test_it_is_mid_tread_with_the_stated_step(self, run: Callable[..., Audio], bits: int) -> None:
        step = 2.0 ** (1 - bits)
        ramp = np.linspace(-1.5, 1.5, 20_001, dtype=np.float32)[None]
        out = run(Quantise(bits=bits), ramp)
        codes = out.astype(np.float64) / step
        assert np.array_equal(codes, np.rint(codes))
        assert codes.min() == -(2 ** (bits - 1))
        assert codes.max() == 2 ** (bits - 1) - 1
        inside = np.abs(ramp) <= 1 - step
        assert np.abs(out - ramp)[inside].max() <= step / 2 + 1e-7
        assert run(Quantise(bits=bits), np.zeros((1, 3), dtype=np.float32)).tolist() == [[0, 0, 0]]

    @pytest.mark.parametrize("bits", [4, 8, 12])
    def test_the_error_has_the_energy_of_one_step(self, run: Callable[..., Audio], bits: int) -> None:
        noise = np.random.default_rng(0).uniform(-0.8, 0.8, (1, 16_000)).astype(np.float32)
        error = run(Quantise(bits=bits), noise) - noise
        assert np.mean(error**2) == pytest.approx(2.0 ** (2 - 2 * bits) / 12, rel=0.05)

    def test_another_step_breaks_the_claims(self, run: Callable[..., Audio], music: Audio) -> None:
        assert broken_claims(Quantise(bits=8), music, run(Quantise(bits=7), music)) == {"error_steps"}
        assert broken_claims(Quantise(bits=8), music, run(Quantise(bits=9), music)) == {"off_grid_percent"}

    def test_truncation_breaks_the_claims(self, music: Audio) -> None:
        assert broken_claims(Quantise(bits=8), music, np.floor(music * 128) / np.float32(128)) == {"error_steps"}


class TestDither:
    """Triangular dither: an error that does not know the signal."""

    @pytest.mark.parametrize("value", [0, 0.25, 0.5, -0.37])
    def test_mean_and_rms_of_the_error_are_those_of_any_signal(self, run: Callable[..., Audio], value: float) -> None:
        step = 2.0**-7
        dc = np.full((1, 200_000), value * step, dtype=np.float32)
        error = (run(DitheredQuantise(bits=8), dc) - dc.astype(np.float64)) / step
        assert error.mean() == pytest.approx(0, abs=0.005)
        assert np.sqrt(np.mean(error**2)) == pytest.approx(0.5, abs=0.005)
        assert np.abs(error).max() <= 1.5

    def test_a_tone_below_one_step_survives(self, run: Callable[..., Audio], tone: Callable[..., Audio]) -> None:
        quiet = tone(440, 0.4 * 2.0**-7, 10 * RATE)
        assert not run(Quantise(bits=8), quiet).any()
        dithered = run(DitheredQuantise(bits=8), quiet)[0].astype(np.float64)
        amplitude = np.dot(dithered, quiet[0]) / np.dot(quiet[0], quiet[0].astype(np.float64))
        assert amplitude == pytest.approx(1, abs=0.05)

    def test_the_range_is_that_of_the_quantiser(self, run: Callable[..., Audio]) -> None:
        ramp = np.linspace(-1.5, 1.5, 20_001, dtype=np.float32)[None]
        codes = run(DitheredQuantise(bits=4), ramp) * 8
        assert np.array_equal(np.unique(codes), np.arange(-8, 8))

    def test_no_dither_breaks_the_claims(self, run: Callable[..., Audio], music: Audio) -> None:
        plain = run(Quantise(bits=8), music)
        assert "error_rms_steps" in broken_claims(DitheredQuantise(bits=8), music, plain)

    def test_uniform_dither_breaks_the_claims(self, music: Audio) -> None:
        uniform = np.random.default_rng(0).uniform(-0.5, 0.5, music.shape)
        dithered = (np.rint(music * 128 + uniform) / 128).astype(np.float32)
        assert broken_claims(DitheredQuantise(bits=8), music, dithered) == {"error_rms_steps"}


class TestLevels:
    """Levels between the extremes of the clip itself."""

    @pytest.mark.parametrize("levels", [2, 4, 64])
    def test_the_levels_are_equally_spaced_from_minimum_to_maximum(
        self, run: Callable[..., Audio], levels: int
    ) -> None:
        clip = np.random.default_rng(0).uniform(-0.2, 0.7, (1, 20_000)).astype(np.float32)
        found = np.unique(run(QuantiseLevels(levels=levels), clip))
        np.testing.assert_allclose(found, np.linspace(clip.min(), clip.max(), levels), atol=1e-7)

    def test_the_damage_does_not_depend_on_the_level(self, run: Callable[..., Audio], music: Audio) -> None:
        loud = run(QuantiseLevels(levels=16), music)
        quiet = run(QuantiseLevels(levels=16), music * np.float32(2.0**-10))
        assert np.array_equal(quiet, loud * np.float32(2.0**-10))
        assert not np.array_equal(loud, run(Quantise(bits=4), music))

    @pytest.mark.parametrize("value", [0, 0.5, -2])
    def test_a_constant_clip_stays(self, run: Callable[..., Audio], value: float) -> None:
        constant = np.full((1, 100), value, dtype=np.float32)
        assert np.array_equal(run(QuantiseLevels(levels=4), constant), constant)

    def test_other_numbers_of_levels_break_the_claims(self, run: Callable[..., Audio], music: Audio) -> None:
        assert broken_claims(QuantiseLevels(levels=16), music, run(QuantiseLevels(levels=8), music)) == {"error_steps"}
        finer = run(QuantiseLevels(levels=17), music)
        assert "distinct_levels" in broken_claims(QuantiseLevels(levels=16), music, finer)

    def test_a_single_level_is_refused(self) -> None:
        text = "The 'levels' of quantise_levels must be a whole number of at least 2"
        with pytest.raises(AttackError, match=text):
            QuantiseLevels(levels=1)


class TestG711:
    """The tables of ITU-T G.711."""

    @pytest.mark.parametrize(
        ("cls", "starts", "outputs"),
        [
            # Tables 2a (mu) and 1a (A) at both ends of the scale and around the first bends.
            (MuLaw, {0: 0, 1: 1, 15: 29, 16: 31, 31: 91, 32: 95, 127: 7903}, {0: 0, 1: 2, 16: 33, 32: 99, 127: 8031}),
            (ALaw, {0: 0, 1: 2, 16: 32, 32: 64, 127: 3968}, {0: 1, 1: 3, 16: 33, 32: 66, 127: 4032}),
        ],
    )
    def test_numbers_of_the_recommendation(
        self, cls: type[ALaw | MuLaw], starts: dict[int, int], outputs: dict[int, int]
    ) -> None:
        all_starts, all_outputs = cls.intervals()
        assert {index: all_starts[index] for index in starts} == starts
        assert {index: all_outputs[index] for index in outputs} == outputs

    @pytest.mark.parametrize(("cls", "codec"), [(MuLaw, "pcm_mulaw"), (ALaw, "pcm_alaw")])
    def test_ffmpeg_decodes_to_the_same_values(
        self, run: Callable[..., Audio], cls: type[ALaw | MuLaw], codec: str
    ) -> None:
        pcm = np.arange(-32_768, 32_768)
        ours = run(cls(), (pcm / 32_768).astype(np.float32)[None])[0]
        assert set(ours * 32_768) == set(decoded(codec, np.arange(256, dtype=np.uint8)))

    @pytest.mark.parametrize(("cls", "codec"), [(MuLaw, "pcm_mulaw"), (ALaw, "pcm_alaw")])
    def test_ffmpeg_gives_the_same_samples_but_where_segments_meet(
        self, run: Callable[..., Audio], cls: type[ALaw | MuLaw], codec: str
    ) -> None:
        pcm = np.arange(-32_768, 32_768, 4).astype(np.int16)  # FFmpeg reads 14 of the 16 bits
        ours = run(cls(), (pcm / 32_768).astype(np.float32)[None])[0] * 32_768
        theirs = decoded(codec, encoded(codec, pcm))
        # FFmpeg decides halfway between two outputs, the recommendation where the step changes: from there to halfway,
        # rounded up to a whole step of 14 bits, the two differ.
        starts, outputs = cls.intervals()
        units = np.abs(pcm.astype(float)) / 32_768 * cls.full_scale
        least = cls.full_scale / 8192
        bends = [k for k in range(1, 128) if 2 * starts[k] != outputs[k - 1] + outputs[k]]
        halfway = [np.ceil((outputs[k - 1] + outputs[k]) / 2 / least) * least for k in bends]
        contested = np.any(
            [(units >= starts[k]) & (units < end) for k, end in zip(bends, halfway, strict=True)], axis=0
        )
        assert len(bends) in (6, 7)
        assert contested.mean() < 0.02
        assert np.array_equal(ours[~contested], theirs[~contested])
        assert (ours != theirs)[contested].mean() > 0.9

    @pytest.mark.parametrize(("cls", "law"), [(MuLaw, "u"), (ALaw, "a")])
    @pytest.mark.filterwarnings("ignore:'audioop' is deprecated")
    def test_the_reference_routine_in_the_standard_library_gives_the_same_samples(
        self, run: Callable[..., Audio], cls: type[ALaw | MuLaw], law: str
    ) -> None:
        audioop = pytest.importorskip("audioop", reason="left the standard library in Python 3.13")
        pcm = np.arange(0, 32_768).astype(np.int16)
        codes = getattr(audioop, f"lin2{law}law")(pcm.tobytes(), 2)
        theirs = np.frombuffer(getattr(audioop, f"{law}law2lin")(codes, 2), dtype=np.int16)
        assert np.array_equal(run(cls(), (pcm / 32_768).astype(np.float32)[None])[0] * 32_768, theirs)

    @pytest.mark.parametrize("cls", [MuLaw, ALaw])
    def test_it_is_odd_idempotent_and_clips(self, run: Callable[..., Audio], cls: type[ALaw | MuLaw]) -> None:
        ramp = np.linspace(1e-6, 3, 10_001, dtype=np.float32)[None]
        out = run(cls(), ramp)
        assert np.array_equal(run(cls(), -ramp), -out)
        assert np.array_equal(run(cls(), out), out)
        assert out.max() == cls.intervals()[1][-1] / cls.full_scale

    def test_silence(self, run: Callable[..., Audio]) -> None:
        silence = np.zeros((1, 3), dtype=np.float32)
        assert run(MuLaw(), silence).tolist() == [[0, 0, 0]]
        assert run(ALaw(), silence).tolist() == [[1 / 4096] * 3]

    @pytest.mark.parametrize("cls", [MuLaw, ALaw])
    def test_a_tone_comes_back_at_the_ratio_of_the_textbook_whatever_its_level(
        self, run: Callable[..., Audio], tone: Callable[..., Audio], cls: type[ALaw | MuLaw]
    ) -> None:
        # 38 dB, give or take what the bends of the characteristic cost, over 24 dB of level.
        for amplitude in (0.9, 0.3, 0.06):
            before = tone(437, amplitude)
            error = run(cls(), before).astype(np.float64) - before
            assert 36 < 10 * np.log10(np.sum(before**2) / np.sum(error**2)) < 40

    @pytest.mark.parametrize("cls", [MuLaw, ALaw])
    def test_eight_linear_bits_and_the_other_law_break_the_claims(
        self, run: Callable[..., Audio], music: Audio, cls: type[ALaw | MuLaw]
    ) -> None:
        assert broken_claims(cls(), music, run(Quantise(bits=8), music)) == {"off_grid_percent", "error_steps"}
        other = ALaw() if cls is MuLaw else MuLaw()
        assert "off_grid_percent" in broken_claims(cls(), music, run(other, music))


def encoded(codec: str, pcm: NDArray[np.int16]) -> NDArray[np.uint8]:
    import av

    context = av.CodecContext.create(codec, "w")
    context.sample_rate, context.layout, context.format = RATE, "mono", "s16"
    frame = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
    frame.sample_rate = RATE
    return np.frombuffer(b"".join(bytes(p) for p in [*context.encode(frame), *context.encode(None)]), dtype=np.uint8)


def decoded(codec: str, codes: NDArray[np.uint8]) -> NDArray[np.float64]:
    import av

    context = av.CodecContext.create(codec, "r")
    context.sample_rate, context.layout = RATE, "mono"
    frames = [*context.decode(av.Packet(codes.tobytes())), *context.decode(None)]
    return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames]).astype(np.float64)
