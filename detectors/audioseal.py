"""AudioSeal: Meta's localised neural watermark, 16 bits, with the published weights and no others."""

import os
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from sealproof.detectors.base import (
    Audio,
    Bits,
    Detection,
    Detector,
    Scheme,
    UnavailableError,
    Watermarker,
    check_batch,
    check_messages,
)
from sealproof.detectors.checkpoint import download

PACKAGE = "audioseal"
WEIGHTS_VARIABLE = "SEALPROOF_AUDIOSEAL_WEIGHTS"
HUB_REVISION = "3c19eba53390776cf2cc9ed5f6c9ac67ce72ecba"

SAMPLE_RATE = 16_000
MESSAGE_BITS = 16
MIN_SAMPLES = 320
"""20 ms, one step of the networks."""

# Bounds the memory; on a CPU larger batches are no faster per clip.
_BLOCK = 8
_REVISION = 1


class WeightsFile(NamedTuple):
    """One of the two published checkpoints."""

    file_name: str
    cached_name: str
    """Name under which the audioseal package caches the file: a hash of its address."""
    sha256: str

    @property
    def url(self) -> str:
        """Address of the file in the revision whose hashes are known."""
        return f"https://huggingface.co/facebook/audioseal/resolve/{HUB_REVISION}/{self.file_name}"

    def find(self, folder: Path) -> Path | None:
        """Returns where the file lies in the folder, under either name, or None."""
        paths = (folder / self.file_name, folder / self.cached_name)
        return next((path for path in paths if path.is_file()), None)


# The hashes are those of https://github.com/facebookresearch/audioseal/issues/107.
GENERATOR = WeightsFile(
    "generator_base.pth",
    "0f195d476dd87ca1bd7b09e6",
    "7a845b5fbe9364a63a3909d8ab3fe064d13a76ae4c2e983573e08c69b7b51748",
)
DETECTOR = WeightsFile(
    "detector_base.pth",
    "94c8df0b1d5ea8e45af4c884",
    "8a78e8a83584113523e161fc599fcab10fd0e94c04d2eb9d2fa1e9ec91ab69d9",
)


class AudioSealScheme(Scheme):
    """AudioSeal: a generator adds a learned mark, a detector finds it sample by sample and reads 16 bits.

    The two checkpoints are taken from a folder, under the names of the hub or of the package's cache; `prepare`, or
    the first use, downloads those that are missing. They are opened only when their SHA-256 is the published one, and
    then without running code from them. There is no other source and no fallback.

    Args:
        weights_dir: The folder. Default: the environment variable SEALPROOF_AUDIOSEAL_WEIGHTS, else the package's
            cache (`audioseal` in $AUDIOSEAL_CACHE_DIR, $XDG_CACHE_HOME or ~/.cache).
        generator_sha256: Hash that the generator must have. Naming another one is how to trust one's own checkpoint.
        detector_sha256: Likewise for the detector.

    Source: San Roman et al., "Proactive detection of voice cloning with localized watermarking", ICML 2024;
    https://github.com/facebookresearch/audioseal (code and weights MIT).
    """

    name: ClassVar[str] = "audioseal"
    summary: ClassVar[str] = "AudioSeal (Meta): neural mark detected sample by sample, 16-bit message"

    def __init__(
        self,
        weights_dir: Path | str | None = None,
        generator_sha256: str = GENERATOR.sha256,
        detector_sha256: str = DETECTOR.sha256,
    ) -> None:
        self._folder = _default_folder() if weights_dir is None else Path(weights_dir)
        self._generator = GENERATOR._replace(sha256=generator_sha256.lower())
        self._detector = DETECTOR._replace(sha256=detector_sha256.lower())

    @property
    def version(self) -> str:
        """Package version, first 12 digits of generator's and detector's hash, and revision of this adapter."""
        try:
            package_version = version(PACKAGE)
        except PackageNotFoundError as error:
            raise UnavailableError(_NOT_INSTALLED) from error
        hashes = f"{self._generator.sha256[:12]}-{self._detector.sha256[:12]}"
        return f"{PACKAGE}-{package_version}-{hashes}-r{_REVISION}"

    @property
    def weights_sha256(self) -> str:
        """Hashes that generator and detector must have, joined by `+`."""
        return f"{self._generator.sha256}+{self._detector.sha256}"

    def unavailable(self) -> str | None:
        """Says whether the package or a checkpoint is missing; looks at names only, hashes are checked on loading."""
        if find_spec(PACKAGE) is None:
            return _NOT_INSTALLED
        missing = [file for file in (self._generator, self._detector) if file.find(self._folder) is None]
        return self._advice(missing) if missing else None

    def prepare(self) -> None:
        """Downloads the checkpoints that are missing from the hub into the folder.

        Raises:
            UnavailableError: One could not be downloaded, or is not a published one; the message says where to get
                what and where to put it.
            DetectorError: The hub sent a file with another hash.
        """
        for file in (self._generator, self._detector):
            self._provide(file)

    def load_watermarker(self) -> Watermarker:
        """Builds the generator."""
        from sealproof.detectors.audioseal_nets import load_generator

        return AudioSealWatermarker(load_generator(self._provide(self._generator), self._generator.sha256))

    def load_detector(self) -> Detector:
        """Builds the detector."""
        from sealproof.detectors.audioseal_nets import load_detector

        return AudioSealDetector(load_detector(self._provide(self._detector), self._detector.sha256))

    def _provide(self, file: WeightsFile) -> Path:
        path = file.find(self._folder)
        if path is not None:
            return path
        if file.sha256 not in (GENERATOR.sha256, DETECTOR.sha256):
            raise UnavailableError(
                f"The AudioSeal checkpoint {self._folder / file.file_name} is missing. It is to have SHA-256 "
                f"{file.sha256}, which is not a published one, so it cannot be downloaded: put it there."
            )
        path = self._folder / file.file_name
        try:
            download(file.url, path, file.sha256)
        except UnavailableError as error:
            raise UnavailableError(f"{error} {self._advice([file])}") from error
        return path

    def _advice(self, missing: list[WeightsFile]) -> str:
        files = " and ".join(f"{file.file_name} ({file.url}, SHA-256 {file.sha256})" for file in missing)
        return (
            f"AudioSeal's weights are not in {self._folder}. With a network run: python -c "
            "\"from sealproof.detectors import get_scheme; get_scheme('audioseal').prepare()\". "
            f"Without one, fetch {files} elsewhere and put them there, or into another folder named by the "
            f"environment variable {WEIGHTS_VARIABLE}."
        )


class AudioSealDetector:
    """AudioSeal's detector: the share of samples that it takes for watermarked.

    The network gives P(watermarked) for every sample. The score is what `detect_watermark` of the package calls the
    detection probability: the fraction of samples with P > 0.5. It is no probability, and it moves in steps of
    1/samples; `frames` holds P itself, from which other rules (its mean, say) can be computed. The bits come from each
    bit's logit, averaged over time.
    """

    name = "audioseal"
    sample_rate = SAMPLE_RATE
    threshold = 0.5

    def __init__(self, net: Any) -> None:
        self._net = net

    def detect(self, batch: Audio) -> Detection:
        """Scores clips of at least 320 samples (20 ms).

        Args:
            batch: Shape (n, samples), float32, finite, at 16 kHz.

        Returns:
            n scores in [0, 1]; frames (n, samples), P(watermarked) of each sample; 16 bits each.

        Raises:
            DetectorError: The batch breaks a rule, or the network returned something that is not a number.
        """
        import torch
        from audioseal.libs.moshi.utils.compile import no_compile

        check_batch(batch, self.name, MIN_SAMPLES)
        frames = np.empty(batch.shape, np.float32)
        bits = np.empty((len(batch), MESSAGE_BITS), np.uint8)
        # Compiling costs minutes once and a pool of processes; it must not depend on who imported the package first.
        with torch.inference_mode(), no_compile():
            for start in range(0, len(batch), _BLOCK):
                block = slice(start, start + _BLOCK)
                probabilities, bit_probabilities = self._net(torch.from_numpy(batch[block, None].copy()))
                frames[block] = probabilities[:, 1].numpy()
                bits[block] = (bit_probabilities > 0.5).numpy()
        return Detection(
            score=(frames > 0.5).mean(axis=1, dtype=np.float64).astype(np.float32), frames=frames, bits=bits
        )


class AudioSealWatermarker:
    """AudioSeal's generator at its published strength (alpha 1).

    The message is always passed: left out, the package draws one, keeps it for later calls and fails on the next batch
    of another size.
    """

    sample_rate = SAMPLE_RATE
    message_bits = MESSAGE_BITS

    def __init__(self, net: Any) -> None:
        self._net = net

    def embed(self, batch: Audio, messages: Bits) -> Audio:
        """Marks clips of at least 320 samples (20 ms).

        Args:
            batch: Shape (n, samples), float32, finite, at 16 kHz.
            messages: Shape (n, 16), uint8, 0 or 1.

        Returns:
            Same shape, float32, not clipped.

        Raises:
            DetectorError: The batch or the messages break a rule.
        """
        import torch
        from audioseal.libs.moshi.utils.compile import no_compile

        check_batch(batch, "audioseal", MIN_SAMPLES)
        check_messages(messages, len(batch), MESSAGE_BITS, "audioseal")
        marked = np.empty_like(batch)
        with torch.inference_mode(), no_compile():
            for start in range(0, len(batch), _BLOCK):
                block = slice(start, start + _BLOCK)
                message = torch.from_numpy(messages[block].astype(np.int64))
                marked[block] = self._net(torch.from_numpy(batch[block, None].copy()), message=message)[:, 0].numpy()
        return marked


_NOT_INSTALLED = f"The package {PACKAGE} is not installed. Run: pip install 'audioseal==0.2.*'"


def _default_folder() -> Path:
    if folder := os.environ.get(WEIGHTS_VARIABLE):
        return Path(folder)
    cache = os.environ.get("AUDIOSEAL_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "audioseal"
