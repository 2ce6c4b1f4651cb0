"""The implicit watermark of Resemble AI's Perth, with the weights from the resemble-perth package."""

import functools
import warnings
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from sealproof.detectors.base import (
    Audio,
    Bits,
    Detection,
    Detector,
    DetectorError,
    Scheme,
    UnavailableError,
    Watermarker,
    check_batch,
    check_messages,
)
from sealproof.detectors.checkpoint import load_tensors
from sealproof.detectors.slopes import Slope

if TYPE_CHECKING:
    import torch

PACKAGE = "resemble-perth"
CHECKPOINT = "perth/perth_net/pretrained/implicit/perth_net_250000.pth.tar"
CHECKPOINT_SHA256 = "a15bce457ebc53ce5e6c9c3f11df78cf7ee2bf9cdab0a798902135b4c4027670"

SAMPLE_RATE = 16_000
MIN_SAMPLES = 800
"""50 ms. The transform mirrors half a window (32 ms) at each end and cannot mirror a clip onto itself."""

_NET_RATE = 32_000
_HOP = 320 * SAMPLE_RATE // _NET_RATE
_BLOCK = 32
_REVISION = 1


class PerthScheme(Scheme):
    """Perth implicit: a network adds the mark to the STFT magnitudes below 2 kHz, another finds it; no message.

    The published weights and network of the package, run in batches. The checkpoint is loaded by sealproof, after its
    hash was checked and without running code from it; the package itself would unpickle what it finds.

    Args:
        weights: Another copy of the checkpoint; default: the one inside the installed package.
        expected_sha256: Hash that the checkpoint must have. Naming another hash is how to trust one's own checkpoint.

    Source: https://github.com/resemble-ai/Perth (MIT).
    """

    name: ClassVar[str] = "perth"
    summary: ClassVar[str] = "Perth implicit (Resemble AI): neural mark in STFT magnitudes below 2 kHz, no message"

    def __init__(self, weights: Path | str | None = None, expected_sha256: str = CHECKPOINT_SHA256) -> None:
        self._weights = None if weights is None else Path(weights)
        self._expected_sha256 = expected_sha256.lower()

    @property
    def version(self) -> str:
        """Package version, first 12 digits of the weights' hash and revision of this adapter."""
        return f"{PACKAGE}-{_package_version()}-{self._expected_sha256[:12]}-r{_REVISION}"

    @property
    def weights_sha256(self) -> str:
        """Hash that the checkpoint must have."""
        return self._expected_sha256

    def unavailable(self) -> str | None:
        """Say whether the package or its checkpoint is missing; the hash is checked on loading."""
        try:
            path = self._checkpoint_path()
        except UnavailableError as error:
            return str(error)
        return None if path.is_file() else f"The Perth checkpoint {path} is missing. Reinstall {PACKAGE}."

    def load_watermarker(self) -> Watermarker:
        """Build the encoder side."""
        return PerthWatermarker(self._net)

    def load_detector(self) -> Detector:
        """Build the decoder side."""
        return PerthDetector(self._net)

    @functools.cached_property
    def _net(self) -> Any:
        return load_perth_net(self._checkpoint_path(), self._expected_sha256)

    def _checkpoint_path(self) -> Path:
        if self._weights is not None:
            return self._weights
        try:
            return Path(str(distribution(PACKAGE).locate_file(CHECKPOINT)))
        except PackageNotFoundError as error:
            raise UnavailableError(f"The package {PACKAGE} is not installed. Run: pip install {PACKAGE}") from error


class PerthDetector:
    """Perth's decoder: about 0 without and 1 with a mark; above 0.5 the package says there is one.

    The package clips the network's output to [0, 1] and calls that the confidence. The score here is the output itself:
    decisions at 0.5 are the same, but half of all marked music lies above 1, and clipped scores that tie there have no
    threshold at 1 % false positives. A clip whose
    every STFT magnitude is below 1e-9 (digital silence) has no frame the decoder would look at: the package divides 0
    by 0 and returns NaN, this detector returns 0.0, "no evidence of a mark".
    """

    name = "perth"
    sample_rate = SAMPLE_RATE
    threshold = 0.5

    def __init__(self, net: Any) -> None:
        self._net = net

    def detect(self, batch: Audio) -> Detection:
        """Score clips of at least 800 samples (50 ms).

        Args:
            batch: Shape (n, samples), float32, finite, at 16 kHz.

        Returns:
            n scores; no frames, no bits.

        Raises:
            DetectorError: The batch breaks a rule, or the network returned something that is not a number for a clip
                that is not silent.
        """
        import torch
        from scipy.signal import resample_poly

        check_batch(batch, self.name, MIN_SAMPLES)
        scores = np.empty(len(batch), np.float32)
        with torch.inference_mode():
            for start in range(0, len(batch), _BLOCK):
                # The package resamples with this filter for detection, but with soxr for embedding.
                block = resample_poly(batch[start : start + _BLOCK], _NET_RATE // SAMPLE_RATE, 1, axis=-1)
                magnitudes, _ = self._net.ap.signal_to_magphase(torch.from_numpy(block))
                confidence = self._net.decoder(magnitudes)
                silent = magnitudes.amax(dim=(1, 2)) <= 0
                scores[start : start + _BLOCK] = torch.where(silent, torch.zeros_like(confidence), confidence).numpy()
        return Detection(score=scores)

    def slope(self, batch: Audio, threshold: float, is_to_flag: bool) -> Slope:
        """Return the network's output less the threshold, and how it hangs on the audio, whichever way."""
        del is_to_flag
        import torch
        from scipy.signal import firwin

        check_batch(batch, self.name, MIN_SAMPLES)
        factor = _NET_RATE // SAMPLE_RATE
        # `resample_poly` is this filter on the samples with zeros between them.
        half = 10 * factor
        taps = factor * firwin(2 * half + 1, 1 / factor, window=("kaiser", 5.0))
        kernel = torch.from_numpy(taps.astype(np.float32))[None, None]
        scores, gradients = np.empty(len(batch), np.float32), np.empty_like(batch)
        with torch.enable_grad():
            for start in range(0, len(batch), _BLOCK):
                block = slice(start, start + _BLOCK)
                audio = torch.from_numpy(batch[block].copy()).requires_grad_()
                apart = torch.nn.functional.pad(audio[:, None, :, None], (0, factor - 1)).flatten(2)
                upsampled = torch.nn.functional.conv1d(apart, kernel, padding=half)[:, 0]
                magnitudes, _ = self._net.ap.signal_to_magphase(upsampled)
                confidence = self._net.decoder(magnitudes)
                # Digital silence is no frame to look at: no slope.
                silent = magnitudes.amax(dim=(1, 2)) <= 0
                confidence = torch.where(silent, torch.zeros_like(confidence), confidence)
                (gradient,) = torch.autograd.grad(confidence.sum(), audio)
                scores[block] = confidence.detach().numpy()
                gradients[block] = torch.where(silent[:, None], torch.zeros_like(gradient), gradient).numpy()
        return Slope(scores, scores.astype(np.float64) - threshold, gradients)


class PerthWatermarker:
    """Perth's encoder: adds what its network chooses to the magnitudes below 2 kHz and keeps the phase.

    The network works at 32 kHz. The package returns the host resampled to 32 kHz and back, marked or not; here only the
    watermark makes that journey and is added to the host as it is. Otherwise the resampler's traces near 8 kHz would be
    in every watermarked clip and in no clean one, and a mimic could learn them in place of the watermark.

    Clips are padded with zeros to a whole number of hops (10 ms) and cut back, because the package's own inverse
    transform drops the samples after the last whole hop.
    """

    sample_rate = SAMPLE_RATE
    message_bits = 0

    def __init__(self, net: Any) -> None:
        self._net = net

    def embed(self, batch: Audio, messages: Bits) -> Audio:
        """Mark clips of at least 800 samples (50 ms).

        Args:
            batch: Shape (n, samples), float32, finite, at 16 kHz.
            messages: Shape (n, 0): Perth's mark carries no message.

        Returns:
            Same shape, float32, not clipped.

        Raises:
            DetectorError: The batch or the messages break a rule.
        """
        import torch

        check_batch(batch, "perth", MIN_SAMPLES)
        check_messages(messages, len(batch), self.message_bits, "perth")
        samples = batch.shape[1]
        padded = np.pad(batch, ((0, 0), (0, -samples % _HOP)))
        marked = padded.copy()
        with torch.inference_mode():
            for start in range(0, len(batch), _BLOCK):
                block = torch.from_numpy(_resample(padded[start : start + _BLOCK], SAMPLE_RATE, _NET_RATE))
                magnitudes, phase = self._net.ap.signal_to_magphase(block)
                encoded, _ = self._net.encoder(magnitudes)
                inverse = self._net.ap.magphase_to_signal
                watermark = inverse(encoded, phase) - inverse(magnitudes, phase)
                marked[start : start + _BLOCK] += _resample(watermark.numpy(), _NET_RATE, SAMPLE_RATE)
        return np.ascontiguousarray(marked[:, :samples])


def load_perth_net(checkpoint: Path, expected_sha256: str) -> "torch.nn.Module":
    """Build the package's network and give it the weights of a verified checkpoint.

    Args:
        checkpoint: The package's `.pth.tar`: a dictionary with `model` (tensors) and `step`.
        expected_sha256: Hash that it must have.

    Returns:
        A `PerthNet` in evaluation mode, on the CPU, without gradients.

    Raises:
        DetectorError: The hash differs or the tensors do not fit the network.
        UnavailableError: The file cannot be read, or the package or something it needs is not installed.
        Exception: Whatever something that it needs raises when it is installed and broken.
    """
    state = load_tensors(checkpoint, expected_sha256)
    try:
        with warnings.catch_warnings():
            # Perth looks for its own folder with pkg_resources, which announces its end at import.
            warnings.filterwarnings("ignore", message="pkg_resources is deprecated as an API")
            from perth.perth_net.perth_net_implicit.config import default_hp
            from perth.perth_net.perth_net_implicit.model.perth_net import PerthNet
    except ModuleNotFoundError as error:
        raise UnavailableError(
            f"{PACKAGE} declares none of what it imports, and something is missing ({error}). "
            "Run: pip install 'setuptools<81' librosa torchaudio PyYAML"
        ) from error
    net: torch.nn.Module = PerthNet(default_hp)
    try:
        net.load_state_dict(state["model"])
    except (KeyError, RuntimeError) as error:
        raise DetectorError(f"The checkpoint {checkpoint} must hold the weights of a PerthNet: {error}") from error
    return net.eval().requires_grad_(False)


def _package_version() -> str:
    try:
        return distribution(PACKAGE).version
    except PackageNotFoundError as error:
        raise UnavailableError(f"The package {PACKAGE} is not installed. Run: pip install {PACKAGE}") from error


def _resample(batch: Audio, from_rate: int, to_rate: int) -> Audio:
    import soxr

    # soxr takes channels, but clips as channels would make a result depend on the batch's size.
    return np.stack([soxr.resample(clip, from_rate, to_rate, quality="HQ") for clip in batch])
