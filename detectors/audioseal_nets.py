"""Builds AudioSeal's networks from the package's own cards and fills them from a verified checkpoint."""

import re
import warnings
from pathlib import Path
from typing import Any

from sealproof.detectors.base import DetectorError
from sealproof.detectors.checkpoint import load_tensors

GENERATOR_CARD = "audioseal_wm_16bits"
DETECTOR_CARD = "audioseal_detector_16bits"

# Since 0.2.0 a convolution lies one level deeper than in the published checkpoints. The package renames too, but its
# pattern also matches names that are deep enough, so it cannot read back what a 0.2.0 model saves; this one can.
_SHALLOW = re.compile(r"^(.*\.(?:conv|convtr))\.((?:weight|bias|parametrizations)\b.*|weight_[gv])$")
_WEIGHT_NORM = (
    (".weight_g", ".weight_v"),
    (".parametrizations.weight.original0", ".parametrizations.weight.original1"),
)


def load_generator(checkpoint: Path, expected_sha256: str) -> Any:
    """Builds the 16-bit watermark generator.

    Args:
        checkpoint: A file of the published format: a dictionary with `model` (or `best_state.model`) and perhaps
            `xp.cfg`.
        expected_sha256: Hash that it must have.

    Returns:
        An `audioseal.AudioSealWM` in evaluation mode, on the CPU, without gradients.

    Raises:
        DetectorError: The hash differs, or the tensors do not fit the network.
        UnavailableError: The file cannot be read.
    """
    import_audioseal()
    from audioseal.builder import AudioSealWMConfig, create_generator

    return _load(checkpoint, expected_sha256, GENERATOR_CARD, AudioSealWMConfig, create_generator)


def load_detector(checkpoint: Path, expected_sha256: str) -> Any:
    """Builds the 16-bit watermark detector, an `audioseal.AudioSealDetector`; otherwise as `load_generator`."""
    import_audioseal()
    from audioseal.builder import AudioSealDetectorConfig, create_detector

    return _load(checkpoint, expected_sha256, DETECTOR_CARD, AudioSealDetectorConfig, create_detector)


def import_audioseal() -> None:
    """Imports the package without the warning that its use of TorchScript gives under torch 2.11."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"`torch\.jit\.script` is deprecated", category=DeprecationWarning)
        import audioseal.builder
        import audioseal.loader  # noqa: F401


def _load(checkpoint: Path, expected_sha256: str, card: str, config_type: Any, create: Any) -> Any:
    content = load_tensors(checkpoint, expected_sha256, _allowed_classes())
    try:
        net = create(_config(card, content.get("xp.cfg", {}), config_type))
        state = content["best_state"]["model"] if "best_state" in content else content["model"]
        net.load_state_dict(fold_weight_norm(deepen_names(state)))
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise DetectorError(f"The checkpoint {checkpoint} must hold the weights of {card}: {error}") from error
    return net.eval().requires_grad_(False)


def _config(card: str, from_checkpoint: Any, config_type: Any) -> Any:
    from audioseal.loader import AudioSeal, load_local_model_config
    from omegaconf import OmegaConf

    published: Any = OmegaConf.to_container(load_local_model_config(card))
    del published["checkpoint"]
    # As in the package: the card overrides what the checkpoint says of its training run.
    return AudioSeal.parse_config({**from_checkpoint, **published}, config_type)


def _allowed_classes() -> list[Any]:
    """What the published files hold beside tensors: the training run's configuration, as omegaconf nodes."""
    import collections
    import typing

    from omegaconf import DictConfig, ListConfig
    from omegaconf.base import ContainerMetadata, Metadata
    from omegaconf.nodes import AnyNode

    nodes = [DictConfig, ListConfig, ContainerMetadata, Metadata, AnyNode]
    return [*nodes, typing.Any, dict, list, int, collections.defaultdict]


def deepen_names(state: dict[str, Any]) -> dict[str, Any]:
    """Renames the tensors of a checkpoint from before audioseal 0.2.0; names of later ones stay."""
    return {_SHALLOW.sub(r"\1.inner_conv.\2", name): tensor for name, tensor in state.items()}


def fold_weight_norm(state: dict[str, Any]) -> dict[str, Any]:
    """Replaces each weight-normalised pair (magnitude g, direction v) by the weight g * v / |v| it stands for.

    Args:
        state: Names and tensors, with pairs in torch's old or new notation, or without any.

    Raises:
        KeyError: A magnitude has no direction.

    Source: Salimans and Kingma, "Weight normalization", NeurIPS 2016, equation 2, one magnitude per first dimension.
    """
    import torch

    folded = dict(state)
    for magnitude_suffix, direction_suffix in _WEIGHT_NORM:
        for name in [name for name in state if name.endswith(magnitude_suffix)]:
            layer = name.removesuffix(magnitude_suffix)
            g = folded.pop(name)
            v = folded.pop(layer + direction_suffix)
            norm = torch.linalg.vector_norm(v, dim=tuple(range(1, v.ndim)), keepdim=True)
            folded[layer + ".weight"] = v * (g / norm)
    return folded
