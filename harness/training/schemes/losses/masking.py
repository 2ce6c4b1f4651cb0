"""How a watermark sits below its host: what the ear and a spectrogram would notice."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

WINDOWS = (256, 1024)
"""Samples of the analysis windows: 16 ms for what is short, 64 ms for what is tonal."""

TOO_QUIET = 0.4
"""What a cell that is too quiet costs, against one that is as much too loud."""

_HOST_FLOOR = 2e-4 / 32
"""Magnitude per window sample under which a host counts as silent, about -90 dB re full scale."""

_WATERMARK_FLOOR = 1e-6

_KNEE = 2.0
"""Beyond 20 dB a cell costs in proportion, no longer by the square, so that silence does not rule the sum."""


def excess_db(host: "torch.Tensor", watermark: "torch.Tensor", window_samples: int) -> "torch.Tensor":
    """Return the level of the watermark above its host in each cell of a spectrogram.

    Both magnitudes are smoothed over five bands and three frames, which is roughly how far a host masks.

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
        cells = torch.stft(audio.squeeze(1), window_samples, hop, window=window, return_complex=True).abs()
        return torch.nn.functional.avg_pool2d(cells.unsqueeze(1), (5, 3), 1, (2, 1), count_include_pad=False).squeeze(1)

    ratio = (magnitude(watermark) + _WATERMARK_FLOOR) / (magnitude(host) + _HOST_FLOOR * window_samples)
    return 20 * torch.log10(ratio)


def masking_losses(
    host: "torch.Tensor", watermark: "torch.Tensor", below_db: float, margin_db: float
) -> tuple["torch.Tensor", "torch.Tensor"]:
    """Return how far the watermark's spectrogram is from its host's lowered by `below_db`, and how far it stands out.

    Asked only to stay below its host, a mark gathers in a narrow band, the same in every clip, and shows as lines;
    asked to have its host's shape, it must follow it. A narrow band that is too loud costs little there, as it averages
    over all cells; a spectrogram shows it where the host falls silent. So what is less than `margin_db` below its host
    costs in its own right.

    Args:
        host: Shape (n, 1, samples).
        watermark: Same shape.
        below_db: How far below its host the watermark shall be in each cell.
        margin_db: How far below its host the watermark must be to go unseen.

    Returns:
        Two scalars, 0 or more: the mean over the cells of half the square of the distance, and the mean square of what
        exceeds the margin, both in units of 10 dB.
    """
    import torch

    shape, visible = [], []
    for window_samples in WINDOWS:
        excess = excess_db(host, watermark, window_samples)
        distance = (excess + below_db) / 10
        shape.append((_huber(torch.relu(distance)) + TOO_QUIET * _huber(torch.relu(-distance))).mean())
        visible.append((torch.relu(excess + margin_db) / 10).square().mean())
    return torch.stack(shape).mean(), torch.stack(visible).mean()


def _huber(distance: "torch.Tensor") -> "torch.Tensor":
    import torch

    return torch.where(distance < _KNEE, distance.square() / 2, _KNEE * (distance - _KNEE / 2))
