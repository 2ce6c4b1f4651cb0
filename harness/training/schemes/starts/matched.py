"""Where training starts: a sender that hears its host and a receiver that is its matched filter.

From random weights generator and detector must find each other by chance, which takes long, and what they find is a
mark that is the same in every clip. So the scheme is set up as an old-fashioned spread-spectrum system, in bands:

- The decoder's channels belong to bands. A bit is plus or minus a carrier of its own in each band.
- ELU(x) is e^x - 1 below zero. So an encoder that hears the logarithm h of a band's level is a volume control: from
  ELU(h +- m) follows a carrier of the amplitude e^h sinh(m), which rises and falls with its host.
- The detector's weights are the decoder's, transposed: it projects the audio back onto the same carriers.

All but the first layer of the decoder work at small amplitudes, where ELU is nearly linear. What the encoder hears is
learnt by regression in a few hundred steps (`tune_in`); training improves a watermark that already works.

Source: amplitude shaped by the host and the matched filter are textbook (Cox et al., "Digital Watermarking and
Steganography", 2nd ed., chapters 3 and 8); ELU as volume control and a detector that starts as the transposed decoder
are this project's own.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sealproof.harness.foundation.audio.files import SAMPLE_RATE

if TYPE_CHECKING:
    import torch

RESIDUAL_GAIN = 0.1
"""Residual blocks start close to the identity, whose transpose is the identity."""

MESSAGE_GAIN = 1.2
"""How far a bit moves the argument of the volume control."""

LOUDEST = 0.3
"""RMS of a band, re full scale, at which the volume control stands at 1."""

QUIETEST = -9.0
"""Natural logarithm of the lowest setting of the volume control: 78 dB below `LOUDEST`."""

_SEND_GAIN = 0.3
"""Of the decoder's second layer: keeps what follows small, where ELU is linear."""

_OUTPUT_GAIN = 0.1
HEARING_GAIN = 20.0
"""Of the encoder's first layer: ELU must see large amplitudes to tell loud from soft."""

_DETECTOR_TILT = (0.3, 4.0)
"""Gain of the detector's lowest and highest band: music falls with frequency."""

_CLOSED = -12.0
"""Bias at which ELU gives -1 whatever comes in."""


def initialise_matched(generator: Any, detector: Any) -> None:
    """Set a scheme up as sender and receiver, in place; draws from torch's global generator.

    The encoder does not hear yet: see `tune_in`.

    Args:
        generator: An `audioseal.AudioSealWM` with a message, whose dimension exceeds its bits by at least the bands.
        detector: An `audioseal.AudioSealDetector` with the same ratios, filters and dimension.
    """
    import torch

    encoder, last = detector.detector[0], detector.detector[1]
    bits, bands = generator.msg_processor.nbits, n_bands(generator)
    with torch.no_grad():
        for stack in (encoder.model, generator.encoder.model, generator.decoder.model):
            calm(stack)
        receive, hear, send = (
            main_convolutions(stack) for stack in (encoder.model, generator.encoder.model, generator.decoder.model)
        )
        _set_volume_controls(send[0], bands, bits)
        for layer in send[1:-1]:
            layer.weight.copy_(_in_bands(layer, bands, is_last=layer is send[-2]))
        _subtract_closed(send[1], bands)
        send[1].weight.mul_(_SEND_GAIN)
        pass_through(send[-1], [_OUTPUT_GAIN] * send[-1].in_channels)
        low, high = _DETECTOR_TILT
        n = receive[0].out_channels
        pass_through(receive[0], [low + (high - low) * index / (n - 1) for index in range(n)])
        for layer, mirror in zip(receive[1:], reversed(send[:-1]), strict=True):
            _transpose(layer, mirror)
        hear[0].weight.mul_(HEARING_GAIN)
        hear[-1].weight[bands:] = 0
        set_message(generator, bands, bits)
        set_logits(encoder, last, bands, bits)


def n_bands(generator: Any) -> int:
    """Return the number of bands: as many as the decoder's last upsampling layer can tell apart."""
    send = main_convolutions(generator.decoder.model)
    return int(min(send[-1].in_channels, send[-2].stride[0]))


def band_levels(
    host: "torch.Tensor", bands: int, hop: int, edges_hz: tuple[float, float] = (0.0, 8000.0)
) -> "torch.Tensor":
    """Return the settings of the volume controls: ln(RMS / LOUDEST) of each band around each step, from `QUIETEST` up.

    Args:
        host: Shape (n, 1, samples).
        bands: Number of bands of equal width.
        hop: Samples of a step; levels are taken under a Hann window of four steps.
        edges_hz: Between which the bands lie; by default up to half the sample rate.

    Returns:
        Shape (n, bands, steps).
    """
    import torch

    window = torch.hann_window(4 * hop)
    steps = -(-host.shape[-1] // hop)
    padded = torch.nn.functional.pad(host.squeeze(1), (3 * hop // 2, 4 * hop))
    cells = torch.stft(padded, len(window), hop, window=window, center=False, return_complex=True)
    first, behind = (round(edge * len(window) / SAMPLE_RATE) for edge in edges_hz)
    power = cells[:, first:behind, :steps].abs().square().reshape(len(host), bands, -1, steps).sum(2)
    rms = (2 * power / (len(window) * window.square().sum())).sqrt()
    return (rms / LOUDEST).clamp_min(math.exp(QUIETEST)).log()


def tune_in(
    generator: Any, hosts: Callable[[], "torch.Tensor"], steps: int, edges_hz: tuple[float, float] = (0.0, 8000.0)
) -> None:
    """Teach the encoder of an initialised generator to hear the level of its host in each band, in place.

    Args:
        generator: As `initialise_matched` left it.
        hosts: Returns clips to learn from, shape (n, 1, samples).
        edges_hz: Between which the bands lie.
        steps: Number of updates; 500 take it to 7 to 9 dB rms.
    """
    import torch

    encoder, bands = generator.encoder, n_bands(generator)
    hop = int(encoder.hop_length)
    optimizer = torch.optim.Adam(encoder.parameters(), lr=1)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * min(1.0, (step + 1) / 30) * (0.5 * (1 + math.cos(math.pi * step / steps)) + 0.03)
        host = hosts()
        wanted = band_levels(host, bands, hop, edges_hz)
        loss = (encoder(host)[:, :bands, : wanted.shape[-1]] - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), 5.0, error_if_nonfinite=True)
        optimizer.step()


def calm(stack: "torch.nn.Module") -> None:
    """Take biases away and bring residual blocks close to the identity."""
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


def main_convolutions(stack: "torch.nn.Module") -> list[Any]:
    """The convolutions that change rate or width, in order: all but those of the residual blocks."""
    return [part for block in stack.children() if not _is_residual(block) for part in _convolutions(block)]


def _set_volume_controls(layer: Any, bands: int, bits: int) -> None:
    """Each channel is a bit in a band: its argument is the band's setting and the bit; a band's first is closed.

    The bits take turns, so that each is missing from few bands.
    """
    layer.weight.zero_()
    middle, per_band = layer.kernel_size[0] // 2, layer.out_channels // bands
    for band in range(bands):
        layer.bias[band * per_band] = _CLOSED
        for place in range(1, per_band):
            layer.weight[band * per_band + place, band, middle] = 1
            layer.weight[band * per_band + place, bands + (2 * band + place) % bits, middle] = 1


def _in_bands(layer: Any, bands: int, *, is_last: bool) -> "torch.Tensor":
    """Random weights that keep to their band; those of the last layer are modulated to its frequency."""
    import torch

    n_in, n_out, taps = layer.weight.shape
    a, b = n_in // bands, n_out // bands
    weight = torch.zeros(n_in, n_out, taps)
    time = torch.arange(taps) - (taps - 1) / 2
    window = torch.sin(math.pi * (torch.arange(taps) + 0.5) / taps)
    phase = math.pi / a * (torch.arange(a)[:, None, None] + torch.arange(b)[None, :, None] / b)
    for band in range(bands):
        if is_last:
            cosine = torch.cos(math.pi * (band + 0.5) / bands * time + phase)
            block = window * cosine / math.sqrt(taps / 4)
        else:
            block = torch.randn(a, b, taps) / math.sqrt(2 * a)
        weight[band * a : (band + 1) * a, band * b : (band + 1) * b] = block
    return weight


def _subtract_closed(layer: Any, bands: int) -> None:
    """Set the weights of the closed channels so that they cancel the -1 of all others."""
    per_band = layer.in_channels // bands
    for band in range(bands):
        first = band * per_band
        layer.weight[first] = -layer.weight[first + 1 : first + per_band].sum(0)


def pass_through(layer: Any, gains: list[float]) -> None:
    """Take a layer from one channel to many, or from many to one, without filtering."""
    import torch

    layer.weight.zero_()
    middle = layer.weight[..., layer.kernel_size[0] // 2]
    middle.copy_(torch.tensor(gains).reshape(middle.shape))


def _transpose(layer: Any, mirror: Any) -> None:
    """Make a convolution the transpose of the one that stands at its place in the decoder."""
    import torch

    if isinstance(mirror, torch.nn.ConvTranspose1d):
        layer.weight.copy_(mirror.weight)
        return
    weight = mirror.weight.transpose(0, 1).flip(-1)
    margin = (layer.weight.shape[-1] - weight.shape[-1]) // 2
    layer.weight.zero_()
    layer.weight[..., margin : margin + weight.shape[-1]] = weight


def set_message(generator: Any, bands: int, bits: int) -> None:
    """Each bit has a dimension of its own at the bottleneck, after those of the bands."""
    rows = generator.msg_processor.msg_processor.weight
    rows.zero_()
    for bit in range(bits):
        rows[2 * bit, bands + bit] = -MESSAGE_GAIN
        rows[2 * bit + 1, bands + bit] = MESSAGE_GAIN


def set_logits(encoder: Any, last: Any, bands: int, bits: int) -> None:
    """The detector's last two layers: presence is the sum over bands, and each bit has a dimension of its own."""
    import torch

    output = encoder.output_dim
    # All positions of the last, upsampling layer are alike: one decision for each step of the networks.
    read = torch.zeros(encoder.dimension, output)
    read[:bands, 1] = 1 / math.sqrt(bands)
    for bit in range(bits):
        read[bands + bit, 2 + bit] = 1
    encoder.reverse_convolution.weight.copy_(read[:, :, None].expand_as(encoder.reverse_convolution.weight))
    encoder.reverse_convolution.bias.zero_()
    last.weight.zero_()
    last.bias.zero_()
    for index in range(1, 2 + bits):
        last.weight[index, index, 0] = 1
