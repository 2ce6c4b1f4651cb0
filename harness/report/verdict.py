"""What a run comes to, in a few sentences made from its numbers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sealproof.harness.report.terms import parameter_words, value_text
from sealproof.harness.tables.reading.run_folder import ReportedCell, RunFolder
from sealproof.harness.tables.reading.series import Series

HELD, CHANCE = 0.9, 0.5
"""An attack is withstood from this accuracy on; accuracy by guessing."""

_NAMED = 6
"""Attacks that a sentence names at most."""


@dataclass(frozen=True)
class Share:
    """How a detector fares over the attacks of a run: in how many cells it stands how."""

    detector: str
    held: int
    between: int
    chance: int
    failed: int


@dataclass(frozen=True)
class Verdict:
    """What stands on top of a report.

    Attributes:
        headline: One sentence.
        points: Headings and paragraphs; names stand in backquotes.
        shares: By detector, the reference first.
    """

    headline: str
    points: list[tuple[str, str]]
    shares: list[Share]


def cell_text(cell: ReportedCell) -> str:
    """Return a cell's attack and strength in words: `mp3 64 kbps`, `speed factor 1.05`."""
    texts = []
    for name, value in cell.parameters.items():
        text = value_text(name, value)
        texts.append(text if text != value else f"{parameter_words(name)} {text}")
    return f"{cell.title} {', '.join(texts)}".strip()


def judge(folder: RunFolder) -> Verdict:
    """Say how the reference holds, what breaks it, how well each mimic agrees, and what limits the numbers."""
    reference, *mimics = folder.detectors
    attacked = [index for index, cell in enumerate(folder.cells) if cell.attack != "identity"]
    marking = [index for index in attacked if folder.cells[index].marks_clean_clips(folder.scheme)]
    judged = [index for index in attacked if index not in marking]
    shares = [
        _share(detector.name, folder.series.get((detector.name, "fixed", "accuracy")), folder.cells, judged)
        for detector in folder.detectors
    ]
    own = folder.series.get((reference.name, "fixed", "accuracy"))
    points = []
    if own is None:
        headline = f"No cell of this run was scored by `{reference.name}`."
    else:
        headline = _headline(shares[0], len(judged))
        points = [
            (f"The reference, `{reference.name}`", " ".join(_reference_text(folder, own))),
            ("What breaks it", " ".join(_breaks(folder, own, judged))),
            *_marked_anew(folder, marking),
        ]
        points += [
            (f"The mimic `{mimic.name}`", " ".join(_mimic_text(folder, mimic.name, own, attacked))) for mimic in mimics
        ]
        if not mimics:
            points.append(("No mimic", "No mimic was trained on this dataset: only the reference is scored."))
    points.append(("What limits these numbers", " ".join(_limits(folder, own))))
    return Verdict(headline, points, shares)


def _marked_anew(folder: RunFolder, marking: Sequence[int]) -> Iterator[tuple[str, str]]:
    alarms = folder.series.get((folder.detectors[0].name, "fixed", "fpr"))
    known = [index for index in marking if alarms is not None and np.isfinite(alarms.value[index])]
    if alarms is not None and known:
        flagged = ", ".join(f"{cell_text(folder.cells[at])}, of which it flags {_estimate(alarms, at)}" for at in known)
        yield (
            "What marks clean clips",
            f"Not counted among the attacks, as it puts the scheme's own mark on clean clips, which are then marked: "
            f"{flagged}.",
        )


def _headline(share: Share, n_attacks: int) -> str:
    if n_attacks == 0:
        return f"`{share.detector}` was scored on unattacked clips only."
    return (
        f"`{share.detector}` judges at least {100 * HELD:.0f} % of the clips right under {share.held} of "
        f"{_number(n_attacks, 'attack')}; under {share.chance} it cannot be told from guessing."
    )


def _share(name: str, own: Series | None, cells: Sequence[ReportedCell], attacked: Sequence[int]) -> Share:
    failed = sum(bool(cells[index].error) for index in attacked)
    if own is None:
        return Share(name, 0, 0, 0, failed)
    known = [index for index in attacked if np.isfinite(own.value[index])]
    held = sum(own.value[index] >= HELD for index in known)
    chance = sum(own.low[index] <= CHANCE and own.value[index] < HELD for index in known)
    return Share(name, int(held), int(len(known) - held - chance), int(chance), failed)


def _reference_text(folder: RunFolder, own: Series) -> Iterator[str]:
    identity = _identity(folder)
    if identity is None or not np.isfinite(own.value[identity]):
        yield "Its accuracy on unattacked clips is not known."
        return
    yield f"Unattacked, it judges {_estimate(own, identity)} of the clips right at its own threshold."
    name = folder.detectors[0].name
    auc, bits = folder.series.get((name, "", "auc")), folder.series.get((name, "", "bit_accuracy"))
    if auc is not None:
        yield f"Its AUC there is {_estimate(auc, identity)}."
    if bits is not None:
        yield f"It decodes {_estimate(bits, identity)} of the message bits."


def _breaks(folder: RunFolder, own: Series, attacked: Sequence[int]) -> Iterator[str]:
    by_title: dict[str, list[int]] = {}
    for index in attacked:
        by_title.setdefault(folder.cells[index].title, []).append(index)
    worst = [at for indices in by_title.values() if (at := _worst(own, indices)) is not None]
    lost = sorted((index for index in worst if own.low[index] <= CHANCE), key=lambda index: own.value[index])
    if lost:
        named = ", ".join(f"{cell_text(folder.cells[at])} ({own.value[at]:.2f})" for at in lost[:_NAMED])
        more = f", and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
        yield (
            f"{_number(len(lost), 'kind')} of attack of {len(worst)} can bring it to chance; where they are worst: "
            f"{named}{more}."
        )
    elif worst:
        at = min(worst, key=lambda index: float(own.value[index]))
        yield f"No attack brings it to chance. The worst is {cell_text(folder.cells[at])}: {_estimate(own, at)}."
    yield from _false_alarms(folder, attacked)
    yield from _break_points(folder)


def _false_alarms(folder: RunFolder, attacked: Sequence[int]) -> Iterator[str]:
    alarms, identity = folder.series.get((folder.detectors[0].name, "fixed", "fpr")), _identity(folder)
    if alarms is None or identity is None:
        return
    usual = alarms.high[identity]
    raised = [index for index in attacked if alarms.low[index] > usual]
    if raised:
        at = max(raised, key=lambda index: float(alarms.value[index]))
        verb = "makes" if len(raised) == 1 else "make"
        yield (
            f"{_number(len(raised), 'attack')} alone {verb} it flag more clean clips than before, most of all "
            f"{cell_text(folder.cells[at])}: {_estimate(alarms, at)} of them."
        )


def _break_points(folder: RunFolder) -> Iterator[str]:
    table = folder.break_points
    if table is None:
        return
    own = table[table["detector"] == folder.detectors[0].name]
    if len(own):
        counts = {
            status: int((own["status"] == status).sum()) for status in ("crosses", "never", "always", "not_monotone")
        }
        if not any(counts.values()):
            # No threshold for 1 % false alarms: that is said where the limits are.
            return
        yield (
            f"In {counts['crosses']} of {_number(len(own), 'sweep')} its true positive rate, at 1 % false alarms, "
            f"falls through one half; in {counts['never']} it never does, in {counts['always']} it is below from the "
            f"start, and {counts['not_monotone']} {'is' if counts['not_monotone'] == 1 else 'are'} not monotone."
        )


def _mimic_text(folder: RunFolder, name: str, reference: Series, attacked: Sequence[int]) -> Iterator[str]:
    agree, kappa = folder.series.get((name, "fixed", "agreement")), folder.series.get((name, "fixed", "cohens_kappa"))
    own, identity = folder.series.get((name, "fixed", "accuracy")), _identity(folder)
    if agree is None or own is None:
        yield "It was scored in no cell."
        return
    if identity is not None and np.isfinite(agree.value[identity]):
        text = f"Unattacked, it decides as the reference does on {_estimate(agree, identity)} of the clips"
        if kappa is not None and np.isfinite(kappa.value[identity]):
            chance = kappa.low[identity] <= 0 <= kappa.high[identity]
            text += f" (kappa {_estimate(kappa, identity)}{': no better than chance' if chance else ''})"
        yield f"{text}."
    known = [index for index in attacked if np.isfinite(agree.value[index])]
    lowest = _worst(agree, known)
    if lowest is not None:
        yield (
            f"Over {_number(len(known), 'attack')} the median agreement is {np.median(agree.value[known]):.2f}; it is "
            f"lowest under {cell_text(folder.cells[lowest])}: {_estimate(agree, lowest)}."
        )
    better = int(sum(own.low[index] > reference.high[index] for index in known))
    worse = int(sum(own.high[index] < reference.low[index] for index in known))
    yield (
        f"It is right more often than the reference under {better} of them and less often under {worse}, counting only "
        "those where the intervals lie apart."
    )


def _limits(folder: RunFolder, own: Series | None) -> Iterator[str]:
    facts = folder.facts
    pairs, groups = facts.get("n_test_pairs"), facts.get("n_test_groups")
    if pairs is not None and groups is not None:
        yield f"They rest on {_number(int(pairs), 'pair')} of clips from {_number(int(groups), 'recording')}."
    if own is not None and np.isfinite(own.value).any():
        width = np.nanmedian(own.high - own.low)
        yield f"Half of the 95 % intervals of the reference's accuracy are wider than {width:.2f}."
    failed = sum(bool(cell.error) for cell in folder.cells)
    total = len(folder.cells)
    yield "No cell failed." if not failed else f"{failed} of {total} cells failed and have no number; see Failures."
    thin = [detector for detector in folder.detectors if not detector.fpr_support]
    if thin:
        yield (
            f"The calibration split has only {thin[0].n_calibration} clean clips, and 1 % false alarms take 99: by "
            "that rule there is no threshold, and so no number."
        )
    yield "Each interval is of one cell; with many cells some miss their value by chance."


def _worst(series: Series, among: Sequence[int]) -> int | None:
    """Return the cell with the lowest value, or None where none has one."""
    known = [index for index in among if np.isfinite(series.value[index])]
    return min(known, key=lambda index: float(series.value[index])) if known else None


def _identity(folder: RunFolder) -> int | None:
    return next((index for index, cell in enumerate(folder.cells) if cell.attack == "identity"), None)


def _estimate(series: Series, at: int) -> str:
    value = f"{series.value[at]:.3f}"
    return value if np.isnan(series.low[at]) else f"{value} [{series.low[at]:.3f}, {series.high[at]:.3f}]"


def _number(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
