"""What a study of adversaries is asked for, and its presets; nothing heavy is imported here."""

from dataclasses import dataclass
from pathlib import Path

from sealproof.harness.foundation.errors import HarnessError

QUICK = ("white_box.30steps", "transfer.20steps.3copies", "transfer_ray.20steps.3copies", "hsja.low", "tone.sine",
         "mean_mark")  # fmt: skip
"""Adversaries of the preset `quick`: one of each kind."""

FULL = "full"
PRESETS = ("quick", FULL)


@dataclass(frozen=True, kw_only=True)
class AdversaryRequest:
    """What a study is asked for.

    Attributes:
        adversaries: Ids or names; empty for every adversary in each of its standard forms.
        budgets: Texts such as `snr30`, `linf32`, `mask`.
        rules: Threshold rules that are attacked, each as a target of its own: some of `fixed`, `fpr_1pct`.
        queries: Questions allowed for each clip.
        n_clips: Test pairs at most.
        n_query_clips: Of these, for adversaries that ask many questions.
        seed: Decides everything that is drawn.
        controls: Whether surrogates that know nothing are tried beside the mimics, too.
        out: Folder of the tables.
    """

    adversaries: tuple[str, ...] = ()
    budgets: tuple[str, ...] = ("snr20", "snr30", "snr40", "mask", "linf")
    rules: tuple[str, ...] = ("fixed", "fpr_1pct")
    queries: int = 2000
    n_clips: int = 64
    n_query_clips: int = 24
    seed: int = 0
    controls: bool = True
    out: Path = Path("results")

    def __post_init__(self) -> None:
        """Refuse impossible numbers and unknown rules."""
        for name, value in (("queries", self.queries), ("clips", self.n_clips), ("query-clips", self.n_query_clips)):
            if value < 1:
                raise HarnessError(f"--{name} must be at least 1. Got {value}.")
        unknown = sorted(set(self.rules) - {"fixed", "fpr_1pct"})
        if unknown or not self.rules:
            raise HarnessError(f"--rules must be some of fixed, fpr_1pct. Got {', '.join(unknown) or 'none'}.")
        if not self.budgets:
            raise HarnessError("--budget must name at least one budget, as snr30. Got none.")


def preset(name: str) -> AdversaryRequest:
    """Return what a preset asks for.

    Raises:
        HarnessError: There is no such preset.
    """
    if name == FULL:
        return AdversaryRequest()
    if name == "quick":
        return AdversaryRequest(
            adversaries=QUICK, budgets=("snr30", "snr40"), rules=("fixed",), queries=200, n_clips=8, n_query_clips=4
        )
    raise HarnessError(f"--preset must be one of {', '.join(PRESETS)}. Got {name!r}.")
