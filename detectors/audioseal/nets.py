"""AudioSeal's networks: built by the audioseal package, filled from data that cannot run code."""

import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from sealproof.detectors.audioseal.net_file import Kind, Net
from sealproof.detectors.base import DetectorError
from sealproof.detectors.checkpoint import load_tensors

CARDS: dict[Kind, str] = {"generator": "audioseal_wm_16bits", "detector": "audioseal_detector_16bits"}
"""The package's own descriptions of the published scheme."""

# Since 0.2.0 a convolution lies one level deeper than in the published checkpoints. The package renames too, but its
# pattern also matches names that are deep enough, so it cannot read back what a 0.2.0 model saves; this one can.
_SHALLOW = re.compile(r"^(.*\.(?:conv|convtr))\.((?:weight|bias|parametrizations)\b.*|weight_[gv])$")
_WEIGHT_NORM = (
    (".weight_g", ".weight_v"),
    (".parametrizations.weight.original0", ".parametrizations.weight.original1"),
)


def import_audioseal() -> None:
    """Import the package without the warning that its use of TorchScript gives under torch 2.11."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"`torch\.jit\.script` is deprecated", category=DeprecationWarning)
        import audioseal.builder
        import audioseal.loader  # noqa: F401


class _Uncompiled:
    """Holds the package's switch against compiling for as long as any thread needs it.

    The package's own `no_compile` sets one flag for all threads, and puts back what it found: of two threads that
    overlap the first to leave would let the other one compile.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._n_inside = 0
        self._switch = ExitStack()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Run the networks as they are: compiling costs minutes at the first call, and starts a pool of processes.

        Set around each call, so that it does not depend on who imported the package first.
        """
        from audioseal.libs.moshi.utils.compile import no_compile

        with self._lock:
            if self._n_inside == 0:
                self._switch.enter_context(no_compile())
            self._n_inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._n_inside -= 1
                if self._n_inside == 0:
                    self._switch.close()


uncompiled = _Uncompiled()


def published_config(kind: Kind) -> dict[str, Any]:
    """Return what the published network is built from: `nbits`, `seanet`, and `decoder` or `detector`."""
    import_audioseal()
    from audioseal.loader import load_local_model_config
    from omegaconf import OmegaConf

    card: Any = OmegaConf.to_container(load_local_model_config(CARDS[kind]))
    return {key: card[key] for key in ("nbits", "seanet", "decoder", "detector") if key in card}


def build_net(kind: Kind, config: Mapping[str, Any]) -> Any:
    """Build a network with random weights.

    Args:
        kind: Which of the two.
        config: `nbits`, `seanet` (without weight normalisation, whatever it says) and `decoder` or `detector`.

    Returns:
        An `audioseal.AudioSealWM` or `audioseal.AudioSealDetector` on the CPU, in training mode.

    Raises:
        DetectorError: The package cannot build one from this.
    """
    import_audioseal()
    from audioseal import builder
    from audioseal.loader import AudioSeal
    from omegaconf.errors import OmegaConfBaseException

    try:
        if kind == "generator":
            return builder.create_generator(AudioSeal.parse_config(dict(config), builder.AudioSealWMConfig))
        return builder.create_detector(AudioSeal.parse_config(dict(config), builder.AudioSealDetectorConfig))
    except (
        AssertionError,
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
        RuntimeError,
        OmegaConfBaseException,
    ) as error:
        raise DetectorError(f"The configuration of an AudioSeal {kind} must be complete. Got: {error}") from error


def load_net(net: Net) -> Any:
    """Build a network and fill it: in evaluation mode, on the CPU, without gradients.

    Raises:
        DetectorError: The tensors do not fit the configuration.
    """
    module = build_net(net.kind, net.config)
    try:
        module.load_state_dict(dict(net.tensors))
    except RuntimeError as error:
        first = " ".join(str(error).split())[:300]
        raise DetectorError(
            f"The tensors of {net.source} must fit the {net.kind} they are for. Got: {first}"
        ) from error
    return module.eval().requires_grad_(False)


def read_checkpoint(path: Path, sha256: str, kind: Kind) -> Net:
    """Read a published checkpoint: a dictionary with `model` (or `best_state.model`), perhaps `xp.cfg`.

    As in the package, its card says what is built and overrides what the checkpoint says of its training run.

    Args:
        path: The file, which must have this SHA-256.
        sha256: 64 hex digits.
        kind: Which network it holds.

    Raises:
        DetectorError: The hash differs, the file holds anything that is not on the short list of `_allowed_classes`,
            or not this network.
        UnavailableError: The file cannot be read.
    """
    tensors, own = _read(path, sha256)
    return _checked(Net(kind, _without_norm({**own, **published_config(kind)}), tensors, f"sha256:{sha256}"), path)


def read_own_checkpoint(path: Path, sha256: str) -> Net:
    """Read a checkpoint of the same format that somebody else trained; the file says which network it holds.

    What is built is what the checkpoint says, and what the package's card says only where that is silent.

    Raises:
        DetectorError: As `read_checkpoint`.
        UnavailableError: The file cannot be read.
    """
    tensors, own = _read(path, sha256)
    kind: Kind = "generator" if any(name.startswith("msg_processor.") for name in tensors) else "detector"
    card = published_config(kind)
    config = {**card, **own, "seanet": {**card["seanet"], **own.get("seanet", {})}}
    return _checked(Net(kind, _without_norm(config), tensors, f"sha256:{sha256}"), path)


def _read(path: Path, sha256: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the tensors as this package names them, and what the checkpoint says of its configuration."""
    import_audioseal()
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    content = load_tensors(path, sha256, _allowed_classes())
    try:
        state = content["best_state"]["model"] if "best_state" in content else content["model"]
        tensors = fold_weight_norm(deepen_names(state))
        run = content.get("xp.cfg", {})
        own = {
            key: OmegaConf.to_container(value) if OmegaConf.is_config(value) else value for key, value in run.items()
        }
        seanet = dict(own.get("seanet", {}))
        # The published run keeps the settings of the last layers inside `seanet`.
        last = {key: seanet.pop(key) for key in ("decoder", "detector") if key in seanet}
        if own.get("normalizer"):
            # In audioseal 0.2.0 the detector's normaliser returns nothing, so no such network can have worked.
            raise ValueError("it wants the package's normaliser, which does not work")
        fields = {key: own[key] for key in ("nbits", "decoder", "detector") if key in own}
        return tensors, {**fields, **last, **({"seanet": seanet} if seanet else {})}
    except (KeyError, RuntimeError, TypeError, ValueError, AttributeError, OmegaConfBaseException) as error:
        raise DetectorError(f"The checkpoint {path} must be one of AudioSeal's. Got: {error!r}") from error


def _without_norm(config: dict[str, Any]) -> dict[str, Any]:
    return {**config, "seanet": {**config["seanet"], "norm": "none"}}


def _checked(net: Net, path: Path) -> Net:
    try:
        load_net(net)
    except DetectorError as error:
        raise DetectorError(f"The checkpoint {path} must hold the weights of a {net.kind}. {error}") from error
    return net


def _allowed_classes() -> list[Any]:
    """What the published files hold beside tensors: the training run's configuration, as omegaconf nodes."""
    import collections
    import typing

    from omegaconf import DictConfig, ListConfig
    from omegaconf.base import ContainerMetadata, Metadata
    from omegaconf.nodes import AnyNode

    nodes = [DictConfig, ListConfig, ContainerMetadata, Metadata, AnyNode]
    return [*nodes, typing.Any, dict, list, int, collections.defaultdict]


def deepen_names(state: Mapping[str, Any]) -> dict[str, Any]:
    """Rename the tensors of a checkpoint from before audioseal 0.2.0; names of later ones stay."""
    return {_SHALLOW.sub(r"\1.inner_conv.\2", name): tensor for name, tensor in state.items()}


def fold_weight_norm(state: Mapping[str, Any]) -> dict[str, Any]:
    """Replace each weight-normalised pair (magnitude g, direction v) by the weight g * v / |v| it stands for.

    Computed by the operation of torch's that the package's loader ends in, so that the weights are the same bit for
    bit.

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
            folded[layer + ".weight"] = torch._weight_norm(v, g, 0)
    return folded
