"""How far a watermark stays below its host: what the ear and a spectrogram would notice."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

WINDOWS = (256, 1024)
"""Samples of the analysis windows: 16 ms for what is short, 64 ms for what is tonal."""

_HOST_FLOOR = 2e-4 / 32
"""Magnitude per window sample under which a host counts as silent, about -90 dB re full scale."""

_WATERMARK_FLOOR = 1e-6


def excess_db(host: "torch.Tensor", watermark: "torch.Tensor", window_samples: int) -> "torch.Tensor":
    """Returns the level of the watermark above its host in each cell of a spectrogram.

    The host's magnitude is smoothed over five bands and three frames, which is roughly how far it masks.

    Args:
        host: Shape (n, 1, samples).
        watermark: Same shape.
        window_samples: Length of the Hann window; frames overlap by three quarters.

    Returns:
        Shape (n, bands, frames), in dB; below 0 where the host is louder.
    """
    import torch

    window = torch.hann_window(window_samples)

    def magnitude(audio: "torch.Tensor") -> "torch.Tensor":
        hop = window_samples // 4
        return torch.stft(audio.squeeze(1), window_samples, hop, window=window, return_complex=True).abs()

    masker = torch.nn.functional.avg_pool2d(
        magnitude(host).unsqueeze(1), (5, 3), 1, (2, 1), count_include_pad=False
    ).squeeze(1)
    ratio = (magnitude(watermark) + _WATERMARK_FLOOR) / (masker + _HOST_FLOOR * window_samples)
    return 20 * torch.log10(ratio)


def masking_loss(host: "torch.Tensor", watermark: "torch.Tensor", margin_db: float) -> "torch.Tensor":
    """Returns by how much the watermark exceeds `margin_db` below its host, averaged over cells and windows.

    What exceeds it by more than 6 dB counts quadratically on top: a few loud spots are heard before many faint ones.

    Args:
        host: Shape (n, 1, samples).
        watermark: Same shape.
        margin_db: How far below its host the watermark shall stay.

    Returns:
        A scalar, 0 or more.
    """
    import torch

    losses = []
    for window_samples in WINDOWS:
        excess = excess_db(host, watermark, window_samples) + margin_db
        losses.append(torch.relu(excess).mean() + 0.02 * torch.relu(excess - 6).square().mean())
    return torch.stack(losses).mean()
