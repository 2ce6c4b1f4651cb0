"""What demo music is asked for, with its defaults; the command line reads them when it starts, so nothing is heavy."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class DemoRequest:
    """A dataset of built-in music, with mimics.

    Attributes:
        scheme: Name of the watermark scheme.
        n_clips: Number of clips.
        seed: Of the dataset and of the training.
    """

    scheme: str = "audioseal_mini"
    n_clips: int = 1000
    seed: int = 0
