"""Where training starts: a detector that is the matched filter of the generator.

From random weights generator and detector must find each other by chance, which takes long. Both are stacks of strided
convolutions, though, and nearly linear while activations are small, since ELU has slope 1 around zero. So the pair is
set up as an old-fashioned correlation receiver: the generator turns each bit into plus or minus a carrier of its own,
and the detector, whose weights are the generator's decoder transposed, projects the audio back onto the same carriers.
The first layers are a filter bank whose gain rises with frequency, because music falls with it. From there training
improves a watermark that already works.

Source: the matched filter is textbook (Cox et al., "Digital Watermarking and Steganography", 2nd ed., chapter 3); a
detector initialised as the transposed decoder is this project's own.
"""

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

RESIDUAL_GAIN = 0.1
"""Residual blocks start close to the identity, whose transpose is the identity."""

MESSAGE_GAIN = 0.05
"""Length of a bit's vector at the bottleneck: small, so that the decoder acts linearly on it."""

HOST_GAIN = 0.1
"""How much of the host reaches the bottleneck at first, against the encoder's usual initialisation."""

_GENERATOR_TILT = (0.3, 1.0)
_DETECTOR_TILT = (0.3, 4.0)
"""Gain of the first and of the last filter of the bank."""


def initialise_matched(generator: Any, detector: Any) -> None:
    """Sets a pair up as correlation sender and receiver, in place; draws from torch's global generator.

    Args:
        generator: An `audioseal.AudioSealWM` with a message.
        detector: An `audioseal.AudioSealDetector` with the same ratios, filters and dimension.
    """
    import torch

    encoder, last = detector.detector[0], detector.detector[1]
    bits, dimension = generator.msg_processor.nbits, encoder.dimension
    with torch.no_grad():
        for stack in (encoder.model, generator.encoder.model, generator.decoder.model):
            _calm(stack)
        receive, hear, send = (
            _main_convolutions(stack) for stack in (encoder.model, generator.encoder.model, generator.decoder.model)
        )
        for layer in send[:-1]:
            taps = 2 if isinstance(layer, torch.nn.ConvTranspose1d) else layer.kernel_size[0]
            layer.weight.normal_(0, 1 / math.sqrt(layer.in_channels * taps))
        bank = _filter_bank(send[-1].in_channels, send[-1].kernel_size[0], _GENERATOR_TILT)
        send[-1].weight.copy_((bank / math.sqrt(len(bank))).flip(-1)[None])
        for layer in (receive[0], hear[0]):
            layer.weight.copy_(_filter_bank(layer.out_channels, layer.kernel_size[0], _DETECTOR_TILT)[:, None])
        for layer, mirror in zip(receive[1:], reversed(send[:-1]), strict=True):
            _transpose(layer, mirror)
        hear[-1].weight.mul_(HOST_GAIN)
        _set_message(generator, encoder, last, bits, dimension)


def _calm(stack: "torch.nn.Module") -> None:
    import torch

    for module in stack.modules():
        if isinstance(module, torch.nn.Conv1d | torch.nn.ConvTranspose1d) and module.bias is not None:
            module.bias.zero_()
    for block in stack.children():
        if _is_residual(block):
            _convolutions(block)[-1].weight.mul_(RESIDUAL_GAIN)


def _is_residual(block: "torch.nn.Module") -> bool:
    return type(block).__name__ == "SEANetResnetBlock"


def _convolutions(module: "torch.nn.Module") -> list[Any]:
    import torch

    return [part for part in module.modules() if isinstance(part, torch.nn.Conv1d | torch.nn.ConvTranspose1d)]


def _main_convolutions(stack: "torch.nn.Module") -> list[Any]:
    """The convolutions that change rate or width, in order: all but those of the residual blocks."""
    return [part for block in stack.children() if not _is_residual(block) for part in _convolutions(block)]


def _filter_bank(n: int, taps: int, tilt: tuple[float, float]) -> "torch.Tensor":
    """Windowed cosines of rising frequency and alternating phase, shape (n, taps)."""
    import torch

    time = torch.arange(taps) - (taps - 1) / 2
    position = (torch.arange(n) + 0.5) / n
    phase = (torch.arange(n) % 2) * math.pi / 2
    window = torch.hann_window(taps + 2, periodic=False)[1:-1]
    bank = window * torch.cos(math.pi * position[:, None] * time + phase[:, None])
    gain = tilt[0] + (tilt[1] - tilt[0]) * position
    return bank / bank.norm(dim=1, keepdim=True) * gain[:, None]


def _transpose(layer: Any, mirror: Any) -> None:
    """Makes a convolution the transpose of the one that stands at its place in the decoder."""
    import torch

    if isinstance(mirror, torch.nn.ConvTranspose1d):
        layer.weight.copy_(mirror.weight)
        return
    weight = mirror.weight.transpose(0, 1).flip(-1)
    margin = (layer.weight.shape[-1] - weight.shape[-1]) // 2
    layer.weight.zero_()
    layer.weight[..., margin : margin + weight.shape[-1]] = weight


def _set_message(generator: Any, encoder: Any, last: Any, bits: int, dimension: int) -> None:
    """Bits become orthogonal vectors of either sign, plus one that every message has; the detector reads the same."""
    import torch

    vectors = torch.linalg.qr(torch.randn(dimension, dimension))[0]
    rows = generator.msg_processor.msg_processor.weight
    rows[0::2] = -MESSAGE_GAIN * vectors[:, :bits].T
    rows[1::2] = MESSAGE_GAIN * vectors[:, :bits].T
    rows.add_(vectors[:, bits] * MESSAGE_GAIN * 2 / bits)
    # All positions of the last, upsampling layer are alike: one decision for each step of the networks.
    output = encoder.output_dim
    read = torch.zeros(dimension, output)
    read[:, 1] = vectors[:, bits]
    read[:, 2 : 2 + bits] = vectors[:, :bits]
    spare = min(output - 2 - bits, dimension - bits - 1)
    read[:, 2 + bits : 2 + bits + spare] = 0.3 * vectors[:, bits + 1 : bits + 1 + spare]
    encoder.reverse_convolution.weight.copy_(read[:, :, None].expand_as(encoder.reverse_convolution.weight))
    encoder.reverse_convolution.bias.zero_()
    last.weight.zero_()
    last.bias.zero_()
    for index in range(1, 2 + bits):
        last.weight[index, index, 0] = 1
