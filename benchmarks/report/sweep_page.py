"""Write which attacks break a scheme's detector, and at what strength, as a page: a line for each sweep of a run.

    sealproof run DATASET --attacks full --clips 60 --out RUN
    python -m benchmarks.report.sweep_page RUN > docs/audioseal_mini-attacks.md

Run by hand from the repository's root.
"""

import argparse
import json
from itertools import groupby
from pathlib import Path
from typing import Any

from sealproof.attacks import attack_class

RULE = "fpr_1pct"

_COLUMNS = "| attack | TPR at each strength | FPR above 5 % | lowest AUC |\n| --- | --- | --- | --- |"


def main() -> None:
    """Print the page."""
    import pandas as pd

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN", help="a folder that `sealproof run` wrote")
    run = parser.parse_args().run
    table = pd.read_csv(run / "summary.csv", keep_default_na=False, na_values={"value": ""})
    facts = json.loads((run / "run.json").read_text(encoding="utf-8"))
    mine = table[(table["role"] == "reference") & (table["status"] == "ok")]
    at_rule = mine[mine["threshold_rule"] == RULE]
    tprs = at_rule[at_rule["metric"] == "tpr"]
    fprs = {(row.attack, row.params): row.value for row in at_rule[at_rule["metric"] == "fpr"].itertuples()}
    aucs = {(row.attack, row.params): row.value for row in mine[mine["metric"] == "auc"].itertuples()}
    cells = [(row.attack, row.params, row.value) for row in tprs.itertuples()]
    print(_head(facts, cells))
    for family, attacks in groupby(sorted(_sweeps(cells).items(), key=_family), key=_family):
        print(f"\n## {family}\n\n{_COLUMNS}")
        for name, rates in attacks:
            strengths = ", ".join(f"{params or '-'}: {_bold(tpr)}" for params, tpr in rates)
            flagged = ", ".join(
                f"{params}: {fprs[name, params]:.2f}" for params, _ in rates if fprs[name, params] > 0.05
            )
            lowest = min(aucs[name, params] for params, _ in rates)
            print(f"| `{name}` | {strengths} | {flagged} | {lowest:.3f} |")


def _head(facts: dict[str, Any], cells: list[tuple[str, str, float]]) -> str:
    held = sum(tpr >= 0.9 for _, _, tpr in cells)
    broken = sum(tpr < 0.5 for _, _, tpr in cells)
    return (
        f"# {facts['scheme']} under every attack\n\n"
        f"`sealproof run` with the preset `full`, {facts['n_test_pairs']} pairs of {facts['n_test_groups']} held-out "
        f"recordings, seed {facts['seed']}; made by `python -m benchmarks.report.sweep_page`. TPR: share of the "
        "watermarked clips that the detector still flags, at the threshold of 1 % false positives on clean, "
        "unattacked calibration "
        f"clips; bold where it is below a half. Of {len(cells)} configurations {held} leave at least 0.9 and {broken} "
        "less than a half. With so few clips a rate near a half is uncertain by about 0.13."
    )


def _sweeps(cells: list[tuple[str, str, float]]) -> dict[str, list[tuple[str, float]]]:
    by_attack: dict[str, list[tuple[str, float]]] = {}
    for name, params, tpr in cells:
        by_attack.setdefault(name, []).append((params, tpr))
    return by_attack


def _family(item: tuple[str, list[tuple[str, float]]]) -> str:
    return "chains" if item[0] == "chain" else str(attack_class(item[0]).family)


def _bold(tpr: float) -> str:
    return f"**{tpr:.2f}**" if tpr < 0.5 else f"{tpr:.2f}"


if __name__ == "__main__":
    main()
