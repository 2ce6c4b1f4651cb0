"""The adapters of neural codecs, run on stand-ins with the interfaces of the real packages.

A stand-in codes frames by their lowest DCT coefficients. What is proved is the adapter: sample rates, alignment,
strengths, bitrate, refusals and failures. Nothing is proved about the real networks.
"""

import importlib.machinery
import json
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import fft

from sealproof.attacks import AttackError, Audio
from sealproof.attacks.codec import neural
from sealproof.attacks.codec.neural import DAC, SNAC, EnCodec, NeuralCodec
from sealproof.attacks.testing import check_attack
from sealproof.attacks.verification.measure import lag_samples, snr_db

CODECS = [EnCodec, DAC, SNAC]
RATE = 16_000


class StandIn(torch.nn.Module):
    """Frames of `hop` samples; `n` coefficients of each as codes."""

    def __init__(self, hop: int) -> None:
        super().__init__()
        self.hop = hop
        self.scale = torch.nn.Parameter(torch.zeros(1))

    def frames_of(self, audio: Any, n: int | None) -> Any:
        assert audio.dtype == torch.float32
        assert audio.ndim == 3
        samples = audio.shape[-1]
        padded = np.pad(audio.numpy().reshape(-1), (0, -samples % self.hop)).reshape(-1, self.hop)
        step = float(self.scale.detach())
        return torch.from_numpy(np.rint(fft.dct(padded, norm="ortho")[:, :n] / step).T.copy())[None]

    def audio_of(self, codes: Any) -> Any:
        spectrum = np.zeros((codes.shape[-1], self.hop), np.float32)
        spectrum[:, : codes.shape[1]] = codes[0].T * float(self.scale.detach())
        return torch.from_numpy(fft.idct(spectrum, norm="ortho").astype(np.float32).reshape(1, 1, -1))


class StandInEncodecModel(StandIn):
    sample_rate = 24_000

    @staticmethod
    def encodec_model_24khz(pretrained: bool = True, repository: None = None) -> Any:
        assert not pretrained, "must not download"
        assert repository is None
        return StandInEncodecModel(320)

    def set_target_bandwidth(self, bandwidth: float) -> None:
        if bandwidth not in [1.5, 3.0, 6, 12.0, 24.0]:
            raise ValueError("This model doesn't support the bandwidth")
        self.bandwidth = bandwidth

    def encode(self, x: Any) -> list[tuple[Any, ...]]:
        return [(self.frames_of(x, round(self.bandwidth / 0.75)), None)]

    def decode(self, encoded_frames: list[tuple[Any, ...]]) -> Any:
        ((codes, _),) = encoded_frames
        return self.audio_of(codes)


class StandInDAC(StandIn):
    def __init__(self, n_codebooks: int = 9, sample_rate: int = 44_100) -> None:
        super().__init__(320)
        self.n_codebooks, self.sample_rate = n_codebooks, sample_rate

    def preprocess(self, audio_data: Any, sample_rate: int) -> Any:
        assert sample_rate == self.sample_rate
        return torch.nn.functional.pad(audio_data, (0, -audio_data.shape[-1] % 320))

    def encode(self, audio_data: Any, n_quantizers: int | None = None) -> tuple[Any, ...]:
        assert audio_data.shape[-1] % 320 == 0
        assert not self.training
        codes = self.frames_of(audio_data, n_quantizers)
        return codes, codes, codes, torch.zeros(()), torch.zeros(())

    def decode(self, z: Any) -> Any:
        return self.audio_of(z)


class StandInSNAC(StandIn):
    def __init__(self, sampling_rate: int, vq_strides: list[int], noise: bool) -> None:
        super().__init__(512)
        self.sampling_rate, self.vq_strides, self.noise = sampling_rate, vq_strides, noise

    def encode(self, audio_data: Any) -> list[Any]:
        codes = self.frames_of(audio_data, 40)
        self.hidden = codes
        return [codes[:, 0, ::stride] for stride in self.vq_strides]

    def decode(self, codes: list[Any]) -> Any:
        audio = self.audio_of(self.hidden)
        return audio + 1e-3 * torch.randn(audio.shape)


def package(name: str, **contents: Any) -> Any:
    module = types.ModuleType(name)
    module.__spec__ = importlib.machinery.ModuleSpec(name, None)
    vars(module).update(contents)
    return module


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The three packages and their weights, as a user would have them."""
    neural._loaded.cache_clear()
    monkeypatch.setitem(sys.modules, "encodec", package("encodec", EncodecModel=StandInEncodecModel))
    monkeypatch.setitem(sys.modules, "dac", package("dac", DAC=StandInDAC))
    monkeypatch.setitem(sys.modules, "snac", package("snac", SNAC=StandInSNAC))
    state = {"scale": torch.tensor([0.01])}
    torch.save(state, tmp_path / "encodec.th")
    metadata = {"kwargs": {"n_codebooks": 12, "sample_rate": 16_000, "unknown": 3}}
    torch.save({"state_dict": state, "metadata": metadata}, tmp_path / "dac.pth")
    (tmp_path / "config.json").write_text(
        json.dumps({"sampling_rate": 24_000, "vq_strides": [4, 2, 1], "noise": True}), encoding="utf-8"
    )
    torch.save(state, tmp_path / "pytorch_model.bin")
    monkeypatch.setenv("SEALPROOF_ENCODEC_WEIGHTS", str(tmp_path / "encodec.th"))
    monkeypatch.setenv("SEALPROOF_DAC_WEIGHTS", str(tmp_path / "dac.pth"))
    monkeypatch.setenv("SEALPROOF_SNAC_WEIGHTS", str(tmp_path))
    yield tmp_path
    neural._loaded.cache_clear()


@pytest.fixture
def low(tone: Callable[..., Audio]) -> Audio:
    """A clip that the stand-ins can code: they keep low frequencies only, and two tones have one best alignment."""
    return np.concatenate([tone(170.0, 0.3) + tone(53.0, 0.1), tone(110.0, 0.3) + tone(31.0, 0.2)])


@pytest.mark.parametrize("attack", [EnCodec(bandwidth_kbps=24), DAC(quantisers=12), SNAC()], ids=lambda a: a.id)
@pytest.mark.usefixtures("installed")
def test_contract(attack: NeuralCodec) -> None:
    check_attack(attack)


@pytest.mark.parametrize("attack", [EnCodec(bandwidth_kbps=24), DAC(quantisers=12), SNAC()], ids=lambda a: a.id)
@pytest.mark.usefixtures("installed")
def test_the_clip_reaches_the_codec_at_its_own_rate_and_comes_back_aligned(
    run: Callable[..., Audio], low: Audio, attack: NeuralCodec
) -> None:
    """Bug 10: samples at 16 kHz that are called 24 kHz would be coded as if they were 1.5 times as high."""
    for rate in (16_000, 22_050):
        out = run(attack, low, rate)
        assert out.shape == low.shape
        assert (np.abs(lag_samples(low, out, 400)) <= 1).all()
        assert (snr_db(low, out) > 15).all()


@pytest.mark.usefixtures("installed")
def test_the_codec_gets_as_many_samples_as_its_rate_asks_for(
    run: Callable[..., Audio], low: Audio, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, frames_of = [], StandIn.frames_of
    monkeypatch.setattr(StandIn, "frames_of", lambda self, x, n: seen.append(x.shape[-1]) or frames_of(self, x, n))
    run(EnCodec(bandwidth_kbps=6), low[:1])
    assert seen == [pytest.approx(1.1 * 24_000, abs=2)]  # the clip and a tail of 0.1 s


@pytest.mark.parametrize(
    ("attack", "kbps"),
    [(attack, attack.bandwidth_kbps) for attack in EnCodec.standard()]
    + [(attack, attack.quantisers / 2) for attack in DAC.standard()]
    + [(SNAC(), 0.984)],
    ids=str,
)
@pytest.mark.usefixtures("installed")
def test_the_bitrate_is_counted_from_the_codes(low: Audio, attack: NeuralCodec, kbps: float) -> None:
    facts = attack.perform(low, RATE, range(2)).facts
    np.testing.assert_allclose(facts["bitrate_kbps"], kbps, rtol=0.03)
    (claim,) = attack.claims(RATE)
    assert claim.low < kbps < claim.high


@pytest.mark.parametrize("cls", [EnCodec, DAC])
@pytest.mark.usefixtures("installed")
def test_all_strengths_give_different_audio(run: Callable[..., Audio], music: Audio, cls: type[DAC | EnCodec]) -> None:
    outputs = [run(attack, music[:1]).tobytes() for attack in cls.standard()]
    assert len(set(outputs)) == len(outputs)


@pytest.mark.usefixtures("installed")
def test_the_noise_of_snac_follows_the_seed_and_leaves_torch_alone(low: Audio) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, second, again = (SNAC()(low[:1], RATE, [seed]) for seed in (1, 2, 1))
    assert torch.equal(torch.rand(3), expected)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(
    ("cls", "pip", "weights"),
    [
        (EnCodec, "pip install encodec", "SEALPROOF_ENCODEC_WEIGHTS to the file encodec_24khz-d7cc33bc.th"),
        (DAC, "pip install descript-audio-codec", "SEALPROOF_DAC_WEIGHTS to the file weights_16khz.pth"),
        (SNAC, "pip install snac", "SEALPROOF_SNAC_WEIGHTS to a folder with config.json and pytorch_model.bin"),
    ],
)
def test_what_is_missing_is_said(
    run: Callable[..., Audio],
    low: Audio,
    installed: Path,
    monkeypatch: pytest.MonkeyPatch,
    cls: type[DAC | EnCodec | SNAC],
    pip: str,
    weights: str,
) -> None:
    attack = cls.standard()[0]
    assert cls.unavailable() is None
    monkeypatch.setenv(cls.weights_variable, str(installed / "gone"))
    assert weights in (cls.unavailable() or "")
    assert "There is nothing at " in (cls.unavailable() or "")
    monkeypatch.delenv(cls.weights_variable)
    assert "https://" in (cls.unavailable() or "")
    assert "It is not set." in (cls.unavailable() or "")
    with pytest.raises(AttackError, match="needs its weights"):
        run(attack, low)
    monkeypatch.delitem(sys.modules, cls.package)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert pip in (cls.unavailable() or "")
    with pytest.raises(AttackError, match=pip):
        run(attack, low)


class Payload:
    def __reduce__(self) -> tuple[Callable[..., Any] | tuple[str, ...], ...]:
        return (exec, ("raise SystemExit('code in the weights was run')",))


@pytest.mark.parametrize("content", ["program", "rubbish", "other network"])
def test_weights_that_are_not_plain_tensors_of_the_network_are_refused(
    run: Callable[..., Audio], low: Audio, installed: Path, content: str
) -> None:
    path = installed / "encodec.th"
    if content == "program":
        torch.save(Payload(), path)
    elif content == "rubbish":
        path.write_bytes(b"rubbish" * 99)
    else:
        torch.save({"something else": torch.zeros(1)}, path)
    with pytest.raises(AttackError, match=r"weights of encodec at .*encodec.th cannot be loaded"):
        run(EnCodec(bandwidth_kbps=6), low)


def test_safetensors_are_read_too(
    run: Callable[..., Audio], low: Audio, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import save_file

    expected = run(EnCodec(bandwidth_kbps=6), low)
    save_file({"scale": torch.tensor([0.01])}, installed / "encodec.safetensors")
    monkeypatch.setenv("SEALPROOF_ENCODEC_WEIGHTS", str(installed / "encodec.safetensors"))
    assert np.array_equal(run(EnCodec(bandwidth_kbps=6), low), expected)


def test_weights_for_another_sample_rate_are_refused(run: Callable[..., Audio], low: Audio, installed: Path) -> None:
    stored = torch.load(installed / "dac.pth", weights_only=True)
    stored["metadata"]["kwargs"]["sample_rate"] = 44_100
    torch.save(stored, installed / "dac.pth")
    with pytest.raises(AttackError, match=r"weights of dac must be those for 16000 Hz. Got 44100 Hz"):
        run(DAC(quantisers=9), low)


@pytest.mark.usefixtures("installed")
def test_a_failing_network_raises(run: Callable[..., Audio], low: Audio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bugs 2 and 12: a failure is no result."""

    def fail(self: StandIn, x: Any) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(StandInEncodecModel, "encode", fail)
    with pytest.raises(AttackError, match=r"encodec.6kbps failed on 16000 samples: out of memory"):
        run(EnCodec(bandwidth_kbps=6), low)


@pytest.mark.usefixtures("installed")
def test_lost_audio_raises(run: Callable[..., Audio], low: Audio, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = StandIn.audio_of
    monkeypatch.setattr(StandIn, "audio_of", lambda self, codes: whole(self, codes)[..., :20_000])
    with pytest.raises(AttackError, match=r"encodec.6kbps lost audio: \d+ of 16000 samples came back"):
        run(EnCodec(bandwidth_kbps=6), low)


def test_strengths_that_the_codec_has_not_are_refused() -> None:
    with pytest.raises(AttackError, match=r"must be one of 1.5, 3.0, 6.0, 12.0, 24.0. Got 48."):
        EnCodec(bandwidth_kbps=48)
    with pytest.raises(AttackError, match=r"must be a whole number of at least 1 and of at most 12. Got 13."):
        DAC(quantisers=13)
