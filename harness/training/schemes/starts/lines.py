"""Another place to start from: a scheme whose bits are lines of a spectrum, read by their loudness and not their phase.

A scheme that starts as a matched filter (`matched`) knows its mark by the waveform, so it loses the message when a
clip is cut at another place, and training does not find the way out: 800 steps with shifts left the bits at chance.
Here each bit has two lines side by side; which of the two is the louder one is the bit. A cut, a change of polarity or
of phase leaves that alone.

- The decoder is a tree of filters: pairs of lines are put together at 100 Hz, pairs of these at 400 Hz, and so on.
- A line's sign is turned by another bit, so that the marks of different messages have no waveform in common.
- The detector is the same tree backwards. Lines are multiples of the networks' 50 steps a second, so at the tree's end
  each stands still: the first LSTM layer adds it up, in phase, over 0.4 s, and lifts it out of its host by that.
- Each line's real and imaginary part and their negatives then go through the ELU; the sum of these four grows with the
  magnitude, whatever the phase.

Source: trees of modulated filters with sine windows are textbook (Malvar, "Signal Processing with Lapped Transforms",
1992); their use as initial weights of these networks is this project's own.
"""

import math
from typing import TYPE_CHECKING, Any

from sealproof.harness.foundation.audio.files import SAMPLE_RATE
from sealproof.harness.training.schemes.starts.matched import (
    HEARING_GAIN,
    calm,
    main_convolutions,
    pass_through,
    set_logits,
    set_message,
)

if TYPE_CHECKING:
    import torch

LOWEST_HZ = 400.0
"""Of the lines: below, music is loud and a line would have to be."""

_SEND_GAIN = 0.05
"""Of the decoder's second layer: keeps what follows small, where ELU is linear."""

_OUTPUT_GAIN = 0.3
_UNUSED_GAIN = 0.02
"""Of the random weights of what the start does not use, so that training can."""

_HEAR_LOW, _HEAR_HIGH = 0.15, 1.2
"""Gain of the detector's lowest and highest group: music falls with frequency."""

_STAGE_GAINS = (1.0, 2.0, 2.0, 0.33)
"""Of the detector's stages: the finer the bands, the less is in each. The last is soft, as what passes the LSTM by
is not limited: one loud line would count for many."""

_LIMITER_GAIN = 72.0
"""Of a line before the tanh of the LSTM: loud frames count little more than soft ones."""

_LSTM_RANDOM = 0.02
_INTEGRATE = (-2.0, 3.0, 3.0)
"""Biases of input, forget and output gate: 5 % is forgotten a frame; what stays in phase adds up for 0.4 s."""

_PASS_ON = (2.0, -3.0, 3.0)

_BIT_GAIN = 8.0
_PRESENCE_GAIN = 1.0


def initialise_lines(generator: Any, detector: Any) -> None:
    """Set a scheme up so that each bit is one of two lines, in place; draws from torch's global generator.

    The encoder does not hear yet: see `matched.tune_in`.

    Args:
        generator: An `audioseal.AudioSealWM` with a message, four ratios and 4 lines for each filter, two a bit.
        detector: An `audioseal.AudioSealDetector` with the same ratios, filters and dimension.
    """
    import torch

    encoder, last = detector.detector[0], detector.detector[1]
    bits = int(generator.msg_processor.nbits)
    with torch.no_grad():
        for stack in (encoder.model, generator.encoder.model, generator.decoder.model):
            calm(stack)
        receive, hear, send = (
            main_convolutions(stack) for stack in (encoder.model, generator.encoder.model, generator.decoder.model)
        )
        groups = send[-1].in_channels
        hz, roles = _lines(groups, bits)
        turns = [
            2 * ((role // 2 + int(step)) % bits)
            for role, step in zip(roles, torch.randint(1, bits, (len(roles),)), strict=True)
        ]
        _set_volume_controls(send[0], roles, turns, groups)
        _set_tree(send[1:-1], hz)
        pass_through(send[-1], [_OUTPUT_GAIN] * groups)
        tilt = (_HEAR_HIGH / _HEAR_LOW) ** (1 / (groups - 1))
        pass_through(receive[0], [_HEAR_LOW * tilt**group for group in range(groups)])
        _set_analysis(receive[1:-1], hz)
        _set_integrators(encoder.model)
        _set_reading(receive[-1], roles, groups, bits)
        set_logits(encoder, last, groups, bits)
        hear[0].weight.mul_(HEARING_GAIN)
        hear[-1].weight[groups:] = 0
        set_message(generator, groups, bits)


def edges_hz(groups: int) -> tuple[float, float]:
    """Return between which frequencies the lines of so many groups lie: 100 Hz a line, four lines a group."""
    return LOWEST_HZ, LOWEST_HZ + 400.0 * groups


def _lines(groups: int, bits: int) -> tuple[list[float], list[int]]:
    """Return the lines' frequencies in Hz, four a group, and of each the bit and the sign it stands for, 2 bit + sign.

    Of two places of 50 Hz each takes one, so that lines are about 100 Hz apart, but no harmonics of one tone.
    """
    import torch

    n = 4 * groups
    places = torch.randint(2, (n,)).tolist()
    swapped = torch.randint(2, (n // 2,)).tolist()
    hz = [LOWEST_HZ + 50.0 * (2 * line + place) for line, place in enumerate(places)]
    roles = [2 * ((line // 2) % bits) + (line + swapped[line // 2]) % 2 for line in range(n)]
    return hz, roles


def _set_volume_controls(layer: Any, roles: list[int], turns: list[int], groups: int) -> None:
    """Two channels for each line: the argument is its group's setting, its bit, and for or against the bit it turns by.

    What comes out of the first less what comes out of the second is the line's amplitude, turned by that other bit.
    """
    import torch

    layer.weight.copy_(torch.randn_like(layer.weight) * _UNUSED_GAIN)
    middle = layer.kernel_size[0] // 2
    per_group = len(roles) // groups
    # What hears neither level nor message yet is silent, and stays open to training.
    layer.weight[:, : groups + max(*roles, *turns) // 2 + 1] = 0
    layer.weight[: 2 * len(roles)] = 0
    for line, (role, turn) in enumerate(zip(roles, turns, strict=True)):
        for channel, sign in ((2 * line, 1), (2 * line + 1, -1)):
            layer.weight[channel, line // per_group, middle] = 1
            layer.weight[channel, groups + role // 2, middle] = 1 if role % 2 else -1
            layer.weight[channel, groups + turn // 2, middle] += sign


def _kernel(taps: int, centre_hz: float, rate: float) -> "torch.Tensor":
    """A sine window moved to a frequency, of gain 1 after interpolation; complex, shape (taps,)."""
    import torch

    time = torch.arange(taps)
    window = torch.sin(math.pi * (time + 0.5) / taps) * (math.pi / 4)
    return torch.polar(window, 2 * math.pi * ((centre_hz * time / rate) % 1))


def _put(layer: Any, child: int, parent: int, kernel: "torch.Tensor") -> None:
    """Lead a complex channel (two of the layer's) through a complex filter into another one."""
    layer.weight[2 * child, 2 * parent] = kernel.real
    layer.weight[2 * child, 2 * parent + 1] = kernel.imag
    layer.weight[2 * child + 1, 2 * parent] = -kernel.imag
    layer.weight[2 * child + 1, 2 * parent + 1] = kernel.real


def _centres(hz: list[float], merged: int) -> list[float]:
    """Centre of each band of `merged` neighbouring lines' places, 100 Hz a line."""
    first = LOWEST_HZ + 25
    return [first + 100.0 * (merged * band + (merged - 1) / 2) for band in range(len(hz) // merged)]


def _set_tree(layers: list[Any], hz: list[float]) -> None:
    """Set the decoder's upsampling layers: lines, each at some phase, then pairs of bands, then audio."""
    import torch

    rates = _rates(layers)
    first = layers[0]
    first.weight.copy_(torch.randn_like(first.weight) * _UNUSED_GAIN * _SEND_GAIN)
    phases = torch.rand(len(hz)) * 2 * math.pi
    taps = first.kernel_size[0]
    first.weight[: 2 * len(hz)] = 0
    for line, frequency in enumerate(hz):
        kernel = _kernel(taps, frequency, rates[0]) * torch.polar(torch.tensor(_SEND_GAIN), phases[line])
        for channel, sign in ((2 * line, 1), (2 * line + 1, -1)):
            first.weight[channel, 2 * line] = sign * kernel.real
            first.weight[channel, 2 * line + 1] = sign * kernel.imag
    for depth, layer in enumerate(layers[1:-1], 1):
        layer.weight.zero_()
        for child, centre in enumerate(_centres(hz, 2 ** (depth - 1))):
            _put(layer, child, child // 2, _kernel(layer.kernel_size[0], centre, rates[depth]))
    top = layers[-1]
    top.weight.zero_()
    for group, centre in enumerate(_centres(hz, 4)):
        kernel = _kernel(top.kernel_size[0], centre, rates[-1])
        top.weight[2 * group, group] = kernel.real
        top.weight[2 * group + 1, group] = -kernel.imag


def _set_analysis(layers: list[Any], hz: list[float]) -> None:
    """Set the detector's layers to the decoder's, backwards; at the end each line's two parts and their negatives."""
    rates = _rates(layers[::-1])[::-1]
    top = layers[0]
    top.weight.zero_()
    for group, centre in enumerate(_centres(hz, 4)):
        kernel = _kernel(top.kernel_size[0], centre, rates[0]) * (_STAGE_GAINS[0] / top.stride[0])
        top.weight[2 * group, group] = kernel.real
        top.weight[2 * group + 1, group] = -kernel.imag
    for depth, layer in enumerate(layers[1:-1], 1):
        layer.weight.zero_()
        merged = 2 ** (len(layers) - 2 - depth)
        for child, centre in enumerate(_centres(hz, merged)):
            kernel = _kernel(layer.kernel_size[0], centre, rates[depth]) * (_STAGE_GAINS[depth] / layer.stride[0])
            _put(layer, child, child // 2, kernel)
    finest = layers[-1]
    finest.weight.zero_()
    for line, frequency in enumerate(hz):
        kernel = _kernel(finest.kernel_size[0], frequency, rates[-1]) * (_STAGE_GAINS[-1] / finest.stride[0])
        finest.weight[4 * line, 2 * line] = kernel.real
        finest.weight[4 * line, 2 * line + 1] = kernel.imag
        finest.weight[4 * line + 1] = -finest.weight[4 * line]
        finest.weight[4 * line + 2, 2 * line] = -kernel.imag
        finest.weight[4 * line + 2, 2 * line + 1] = kernel.real
        finest.weight[4 * line + 3] = -finest.weight[4 * line + 2]


def _rates(layers: list[Any]) -> list[float]:
    """Sample rates behind the decoder's upsampling layers, from the lowest to audio's."""
    rates = [float(SAMPLE_RATE)]
    for layer in reversed(layers[1:]):
        rates.insert(0, rates[0] / layer.stride[0])
    return rates


def _set_integrators(stack: Any) -> None:
    """Make the first LSTM layer sum up what stays in phase, loud and soft frames alike; the others pass it on."""
    for module in stack.modules():
        if type(module).__name__ != "RawStreamingLSTM":
            continue
        lstm, n = module.lstm, module.lstm.hidden_size
        for depth in range(lstm.num_layers):
            own = [getattr(lstm, f"{part}_l{depth}") for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
            for tensor in own:
                tensor.mul_(_LSTM_RANDOM)
            cell = slice(2 * n, 3 * n)
            own[0][cell].fill_diagonal_(_LIMITER_GAIN if depth == 0 else 1.0)
            gates = _INTEGRATE if depth == 0 else _PASS_ON
            for gate, bias in zip((0, 1, 3), gates, strict=True):
                own[2][gate * n : (gate + 1) * n] += bias


def _set_reading(layer: Any, roles: list[int], groups: int, bits: int) -> None:
    """Sum each line's magnitude over the taps into its bit, with its sign, and into its group's presence."""
    layer.weight.zero_()
    taps = layer.kernel_size[0]
    per_group = len(roles) // groups
    for line, role in enumerate(roles):
        channels = slice(4 * line, 4 * line + 4)
        layer.weight[groups + role // 2, channels] = (_BIT_GAIN if role % 2 else -_BIT_GAIN) / taps
        layer.weight[line // per_group, channels] = _PRESENCE_GAIN / taps
