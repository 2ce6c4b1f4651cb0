"""What keeps a mark from being one tone, or one waveform that is the same in every clip.

Asked only to be found, a generator and its detector agree on the cheapest thing that works: a tone, or a waveform that
sits on the grid of the networks' steps. These losses make such a mark expensive.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sealproof.harness.foundation.audio.files import SAMPLE_RATE

if TYPE_CHECKING:
    import torch

LOWEST_HZ = 30.0
"""What lies below is of no use to a mark: nobody hears it, and any high-pass removes it."""

_LOW_SHARE = 0.01
"""Square root of the share of energy below `LOWEST_HZ` that costs nothing."""

STEP_SAMPLES = 320
"""One step of the networks: over so much the level is evened out before waveforms are compared."""

_LIKE_FLOOR = 0.1
"""Correlation between two marks that is hardly more than chance."""

_TINY = 1e-12


@dataclass(frozen=True)
class SpreadLosses:
    """How far from spread a batch of marks is, each a scalar, 0 or more.

    Attributes:
        clip: Natural logarithm of how many times fewer bins than asked a clip's mark occupies, averaged over clips.
        batch: The same of the mean power spectrum of all marks.
        low: Amplitude below `LOWEST_HZ`, against the whole.
        common: Mean correlation of two clips' marks at the same place, their envelopes evened out.
    """

    clip: "torch.Tensor"
    batch: "torch.Tensor"
    low: "torch.Tensor"
    common: "torch.Tensor"


def spread_losses(watermark: "torch.Tensor", clip_bins: float, batch_bins: float) -> SpreadLosses:
    """Measure how concentrated marks are.

    Args:
        watermark: Shape (n, 1, samples), n at least 2.
        clip_bins: Effective number of bins over which each clip's mark shall spread, of samples / 2.
        batch_bins: The same for the mean spectrum over all clips.

    Source: the effective number is the inverse participation ratio, 1 / sum(p^2) of shares p that sum to 1.
    """
    import torch

    audio = watermark.squeeze(1)
    power = torch.fft.rfft(audio).abs().square()
    share = power / (power.sum(1, keepdim=True) + _TINY)
    hz = torch.fft.rfftfreq(audio.shape[-1], 1 / SAMPLE_RATE)
    low = (share[:, hz < LOWEST_HZ].sum(1) + 1e-8).sqrt().mean()
    clip = torch.relu((share.square().sum(1) * clip_bins).log()).mean()
    batch = torch.relu((share.mean(0).square().sum() * batch_bins).log())
    return SpreadLosses(clip, batch, torch.relu(low - _LOW_SHARE), common_loss(watermark))


def common_loss(watermark: "torch.Tensor") -> "torch.Tensor":
    """Return the mean absolute correlation of all pairs of marks, their envelopes evened out; 0 if none is alike.

    Args:
        watermark: Shape (n, 1, samples), n at least 2.
    """
    import torch

    steps = watermark.squeeze(1)[:, : watermark.shape[-1] // STEP_SAMPLES * STEP_SAMPLES]
    steps = steps.unflatten(1, (-1, STEP_SAMPLES))
    even = (steps / (steps.square().mean(-1, keepdim=True) + _TINY).sqrt()).flatten(1)
    even = even / (even.square().sum(1, keepdim=True) + _TINY).sqrt()
    alike = even @ even.T
    others = ~torch.eye(len(even), dtype=torch.bool)
    return ((alike[others].square() + _LIKE_FLOOR**2).sqrt() - _LIKE_FLOOR).mean()
