"""Makes the start of the next stage of a training: a checkpoint's averaged weights, as a pair.

    python benchmarks/training/stages.py FOLDER RECIPE OUT [--soften 6] [--mean-with DIR] [--doubt 0.75]

FOLDER is where `sealproof train-scheme --recipe RECIPE --out FOLDER` was stopped; OUT is what the next recipe's `start`
names. `--soften` makes what passes the detector's LSTM by so many times softer and leaves what the LSTM hears as it is.
`--mean-with` takes the mean of the weights and those of an earlier stage. `--doubt` takes so much off the logit of
being marked in every frame: 0.5 stays the threshold and asks for more.
"""

import argparse
from pathlib import Path
from typing import Any

import torch

from sealproof.detectors.audioseal.net_file import Net, parse_net, write_net
from sealproof.detectors.audioseal.nets import load_net
from sealproof.detectors.audioseal.store import KINDS
from sealproof.harness.training.schemes.recipe import load_recipe


def averaged(folder: Path, recipe_path: str) -> list[Net]:
    """Reads generator and detector, averaged over the last steps, from the checkpoint of a training."""
    recipe = load_recipe(recipe_path)
    state: dict[str, Any] = torch.load(folder / "checkpoint.training", weights_only=True)
    source = f"trained by sealproof: recipe {recipe.name}, seed {recipe.seed}, step {state['step']}"
    # The networks themselves come first, then their averages.
    return [Net(kind, recipe.net_config(kind), state["nets"][2 + index], source) for index, kind in enumerate(KINDS)]


def softened(detector: Net, factor: float) -> Net:
    """Divides the layer before the LSTM by a factor, and multiplies the LSTM's input weights by it.

    Raises:
        ValueError: The detector has no LSTM.
    """
    net = load_net(detector)
    layers = list(net.detector[0].model)
    places = [place for place, layer in enumerate(layers) if type(layer).__name__ == "RawStreamingLSTM"]
    if not places:
        msg = "A detector must have an LSTM to be softened. Got one without."
        raise ValueError(msg)
    with torch.no_grad():
        for parameter in layers[places[0] - 1].parameters():
            parameter.div_(factor)
        layers[places[0]].lstm.weight_ih_l0.mul_(factor)
    return Net(detector.kind, detector.config, net.state_dict(), f"{detector.source}, softened {factor:g} times")


def mean_of(net: Net, other: Net) -> Net:
    """Takes the mean of the weights of two networks of one kind."""
    tensors = {name: (tensor + other.tensors[name]) / 2 for name, tensor in net.tensors.items()}
    return Net(net.kind, net.config, tensors, f"mean of ({net.source}) and ({other.source})")


def doubting(detector: Net, logit: float) -> Net:
    """Takes `logit` off the difference of the two outputs that say whether a frame is marked."""
    net = load_net(detector)
    last = net.detector[1]
    with torch.no_grad():
        last.bias[0].add_(logit / 2)
        last.bias[1].sub_(logit / 2)
    return Net(detector.kind, detector.config, net.state_dict(), f"{detector.source}, {logit:g} off its logit")


def main() -> None:
    """Reads the command line and writes the pair."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("recipe")
    parser.add_argument("out", type=Path)
    parser.add_argument("--soften", type=float, default=1.0, metavar="FACTOR")
    parser.add_argument("--mean-with", type=Path, metavar="DIR")
    parser.add_argument("--doubt", type=float, default=0.0, metavar="LOGIT")
    options = parser.parse_args()
    generator, detector = averaged(options.folder, options.recipe)
    if options.soften != 1:
        detector = softened(detector, options.soften)
    if options.mean_with:
        generator, detector = (
            mean_of(net, parse_net((path := options.mean_with / f"{net.kind}.safetensors").read_bytes(), path))
            for net in (generator, detector)
        )
    if options.doubt:
        detector = doubting(detector, options.doubt)
    options.out.mkdir(parents=True, exist_ok=True)
    for net in (generator, detector):
        print(net.kind, write_net(options.out / f"{net.kind}.safetensors", net))


if __name__ == "__main__":
    main()
