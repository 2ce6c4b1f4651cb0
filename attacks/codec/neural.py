"""Neural codecs as optional adapters: the clip is reduced to the tokens of a learnt codec and synthesised again.

Neither the packages nor their weights are dependencies, and nothing is ever downloaded: the package is installed with
pip, the weights are fetched by the user and named in an environment variable. `unavailable` says what is missing.
Weights are read as plain tensors (`weights_only`), never as a pickled program.

A codec here has a sample rate of its own, to which the clip is resampled with soxr, and from which it is resampled
back. Its networks are not told to run on anything but the CPU.

The adapters follow the published interfaces of encodec 0.1.1, descript-audio-codec 1.0.0 and snac 1.2.1. Their tests
run on stand-ins with these interfaces: **they were not run with the real packages and weights**. In particular the
claim that a codec delays by no more than a sample is measured, not known, when you run it.
"""

import functools
import importlib
import importlib.util
import inspect
import json
import os
import threading
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from sealproof.attacks.codec.base import resampled
from sealproof.attacks.contract.base import Attack, AttackError, Audio, Claim, Facts, parameter

_TURN = threading.Lock()
"""One clip at a time: EnCodec keeps its bandwidth in the model, SNAC draws from torch's one generator."""

_TAIL_S = 0.1
"""Zeros appended, in seconds: more than one frame of any of these codecs, so that none returns less than the clip."""


class NeuralCodec(Attack):
    """A learnt codec.

    Attributes:
        package: What is imported.
        install: What pip installs.
        weights_variable: Environment variable with the path of the weights.
        weights_hint: Which weights these are, and where they come from.
        codec_hz: Sample rate of the codec.
    """

    family: ClassVar[str] = "codec"
    is_optional: ClassVar[bool] = True
    package: ClassVar[str]
    install: ClassVar[str]
    weights_variable: ClassVar[str]
    weights_hint: ClassVar[str]
    codec_hz: ClassVar[int]

    @classmethod
    def unavailable(cls) -> str | None:
        """Say which package or weights are missing, and how to get them."""
        if importlib.util.find_spec(cls.package) is None:
            return f"{cls.name} needs the package '{cls.package}': pip install {cls.install}"
        path = os.environ.get(cls.weights_variable)
        if path is None or not Path(path).exists():
            got = "It is not set." if path is None else f"There is nothing at {path}."
            return f"{cls.name} needs its weights: set {cls.weights_variable} to {cls.weights_hint}. {got}"
        return None

    @property
    def files(self) -> Sequence[Path | str]:
        """The weights, where they are there."""
        path = os.environ.get(self.weights_variable)
        return (path,) if path is not None and Path(path).exists() else ()

    @classmethod
    @abstractmethod
    def load(cls, weights: Path) -> Any:
        """Build the network in evaluation mode, with the weights of a file or folder."""

    @property
    @abstractmethod
    def kbps(self) -> float:
        """The bitrate of the tokens, without entropy coding."""

    @abstractmethod
    def recode(self, network: Any, audio: Any) -> tuple[Any, int]:
        """Encode and decode a tensor (1, 1, samples); returns the tensor and the number of bits in between."""

    @staticmethod
    @abstractmethod
    def native_hz(network: Any) -> int:
        """The sample rate that the network states."""

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The bitrate, which is constant but for the last frame."""
        del sample_rate
        return (Claim.about("bitrate_kbps", self.kbps, 0.05 * self.kbps),)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> tuple[Audio, Facts]:
        """Resample, encode, decode and resample back."""
        import torch

        missing = self.unavailable()
        if missing is not None:
            raise AttackError(missing)
        network = self._network()
        if self.native_hz(network) != self.codec_hz:
            raise AttackError(
                f"The weights of {self.name} must be those for {self.codec_hz} Hz. Got {self.native_hz(network)} Hz."
            )
        padded = np.pad(clip, (0, round(_TAIL_S * sample_rate)))
        audio = np.ascontiguousarray(resampled(padded, sample_rate, self.codec_hz))
        try:
            with _TURN, torch.inference_mode(), torch.random.fork_rng(devices=[]):
                torch.manual_seed(int(rng.integers(2**63)))
                decoded, bits = self.recode(network, torch.from_numpy(audio)[None, None])
        except (RuntimeError, ValueError) as error:
            raise AttackError(f"{self.id} failed on {clip.size} samples: {error}") from error
        synthetic = decoded.reshape(-1).to(torch.float32).numpy()
        back = resampled(synthetic, self.codec_hz, sample_rate)
        if back.size < clip.size:
            raise AttackError(f"{self.id} lost audio: {back.size} of {clip.size} samples came back.")
        return back[: clip.size], {"bitrate_kbps": bits / 1000 / (synthetic.size / self.codec_hz)}

    def _network(self) -> Any:
        path = Path(os.environ[self.weights_variable])
        try:
            with _TURN:
                return _loaded(type(self), path)
        except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
            raise AttackError(f"The weights of {self.name} at {path} cannot be loaded: {error}") from error


@dataclass(frozen=True, kw_only=True)
class EnCodec(NeuralCodec):
    """Passes the clip through Meta's EnCodec at 24 kHz (arXiv 2210.13438); an optional adapter.

    Residual vector quantisation: 75 frames a second with 2 to 32 codes of 10 bits, without the entropy coder.
    """

    name: ClassVar[str] = "encodec"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"bandwidth_kbps": (24, 12, 6, 3, 1.5)}
    package: ClassVar[str] = "encodec"
    install: ClassVar[str] = "encodec"
    weights_variable: ClassVar[str] = "SEALPROOF_ENCODEC_WEIGHTS"
    weights_hint: ClassVar[str] = (
        "the file encodec_24khz-d7cc33bc.th from https://dl.fbaipublicfiles.com/encodec/v0/encodec_24khz-d7cc33bc.th"
    )
    codec_hz: ClassVar[int] = 24_000

    bandwidth_kbps: float = parameter(unit="kbps", choices=(1.5, 3.0, 6.0, 12.0, 24.0))

    @classmethod
    def load(cls, weights: Path) -> Any:
        """Build the 24 kHz model without its own download."""
        network = importlib.import_module("encodec").EncodecModel.encodec_model_24khz(pretrained=False)
        network.load_state_dict(_tensors(weights))
        return network.eval()

    @property
    def kbps(self) -> float:
        """The bandwidth."""
        return self.bandwidth_kbps

    def recode(self, network: Any, audio: Any) -> tuple[Any, int]:
        """Encode at the bandwidth; the 24 kHz model codes a clip in one piece."""
        network.set_target_bandwidth(self.bandwidth_kbps)
        pieces = network.encode(audio)
        return network.decode(pieces), sum(10 * codes.numel() for codes, _ in pieces)

    @staticmethod
    def native_hz(network: Any) -> int:
        """The sample rate that the network states."""
        return int(network.sample_rate)


@dataclass(frozen=True, kw_only=True)
class DAC(NeuralCodec):
    """Passes the clip through the Descript Audio Codec at 16 kHz (arXiv 2306.06546); an optional adapter.

    Residual vector quantisation: 50 frames a second with 1 to 12 codes of 10 bits, 0.5 kbit/s a quantiser.
    """

    name: ClassVar[str] = "dac"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"quantisers": (12, 9, 6, 4, 2)}
    package: ClassVar[str] = "dac"
    install: ClassVar[str] = "descript-audio-codec"
    weights_variable: ClassVar[str] = "SEALPROOF_DAC_WEIGHTS"
    weights_hint: ClassVar[str] = (
        "the file weights_16khz.pth from "
        "https://github.com/descriptinc/descript-audio-codec/releases/download/0.0.5/weights_16khz.pth"
    )
    codec_hz: ClassVar[int] = 16_000

    quantisers: int = parameter(unit="q", kind=int, low=1, high=12)

    @classmethod
    def load(cls, weights: Path) -> Any:
        """Build the network that the file describes beside its weights."""
        build = importlib.import_module("dac").DAC
        stored = _tensors(weights)
        accepted = inspect.signature(build).parameters
        network = build(**{name: value for name, value in stored["metadata"]["kwargs"].items() if name in accepted})
        network.load_state_dict(stored["state_dict"])
        return network.eval()

    @property
    def kbps(self) -> float:
        """10 bits, 50 times a second, for each quantiser."""
        return 0.5 * self.quantisers

    def recode(self, network: Any, audio: Any) -> tuple[Any, int]:
        """Encode with the first quantisers only."""
        latent, codes, *_ = network.encode(network.preprocess(audio, self.codec_hz), self.quantisers)
        return network.decode(latent), 10 * codes.numel()

    @staticmethod
    def native_hz(network: Any) -> int:
        """The sample rate that the network states."""
        return int(network.sample_rate)


@dataclass(frozen=True, kw_only=True)
class SNAC(NeuralCodec):
    """Passes the clip through SNAC at 24 kHz (arXiv 2410.14411), 0.98 kbit/s; an optional adapter.

    Residual vector quantisation at three time scales: 12, 23 and 47 codes of 12 bits a second. The decoder adds noise
    of its own, which the seed decides.
    """

    name: ClassVar[str] = "snac"
    is_random: ClassVar[bool] = True
    package: ClassVar[str] = "snac"
    install: ClassVar[str] = "snac"
    weights_variable: ClassVar[str] = "SEALPROOF_SNAC_WEIGHTS"
    weights_hint: ClassVar[str] = (
        "a folder with config.json and pytorch_model.bin from https://huggingface.co/hubertsiuzdak/snac_24khz"
    )
    codec_hz: ClassVar[int] = 24_000

    @classmethod
    def load(cls, weights: Path) -> Any:
        """Build the network of the folder."""
        network = importlib.import_module("snac").SNAC(
            **json.loads((weights / "config.json").read_text(encoding="utf-8"))
        )
        network.load_state_dict(_tensors(weights / "pytorch_model.bin"))
        return network.eval()

    @property
    def kbps(self) -> float:
        """24000 / 512 fine frames a second, with half and a quarter as many coarser ones."""
        return 24_000 / 512 * (1 + 1 / 2 + 1 / 4) * 12 / 1000

    def recode(self, network: Any, audio: Any) -> tuple[Any, int]:
        """Encode at all time scales."""
        codes = network.encode(audio)
        return network.decode(codes), sum(12 * level.numel() for level in codes)

    @staticmethod
    def native_hz(network: Any) -> int:
        """The sample rate that the network states."""
        return int(network.sampling_rate)


@functools.lru_cache(maxsize=4)
def _loaded(codec: type[NeuralCodec], weights: Path) -> Any:
    return codec.load(weights)


def _tensors(path: Path) -> Any:
    """Read a file of torch or safetensors that holds tensors and plain values, and nothing that could run."""
    import torch

    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises what its unpickler raises: UnpicklingError, EOFError, RuntimeError, ...
        raise ValueError(f"{path.name} is no file of plain tensors: {error}") from error
