"""What is left in the worst case, and what adversaries reached: the rows that the pages show."""

from typing import TYPE_CHECKING, Any

from sealproof.harness.report.contents import Contents

if TYPE_CHECKING:
    import pandas as pd

_LABELS = {"clean": "clean clips passed", "watermarked": "watermarked clips found"}


def worst_case_table(contents: Contents) -> "pd.DataFrame":
    """Return robust accuracy by label and budget."""
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "label": case.label,
                "snr_db": budget,
                "robust_accuracy": estimate.value,
                "ci_low": estimate.ci_low,
                "ci_high": estimate.ci_high,
                "n_clips": estimate.n_clips,
                "n_groups": estimate.n_groups,
                "worst": "; ".join(f"{name} ({count})" for name, count in list(by.items())[:3]),
            }
            for case in contents.folder.worst_cases
            for budget, estimate, by in zip(case.budgets_db, case.estimates, case.by, strict=True)
        ]
    )


def worst_case_rows(contents: Contents) -> tuple[list[str], list[list[str]]]:
    """Return header and rows: a row for each budget, what is left of either kind of clip, and what turned most."""
    cases = contents.folder.worst_cases
    header = [
        "SNR at least",
        *(_LABELS[case.label] for case in cases),
        "attacks that turn most clips with least damage",
    ]
    rows = []
    for place, budget in enumerate(cases[0].budgets_db if cases else ()):
        shares = [
            f"{case.estimates[place].value:.2f} ({case.estimates[place].ci_low:.2f} to "
            f"{case.estimates[place].ci_high:.2f})"
            for case in cases
        ]
        names: dict[str, int] = {}
        for case in cases:
            for name, count in case.by[place].items():
                names[name] = names.get(name, 0) + count
        most = sorted(names, key=lambda name: -names[name])[:3]
        rows.append([f"{budget:g} dB", *shares, ", ".join(most) or "-"])
    return header, rows


def adversary_rows(contents: Contents) -> tuple[list[str], list[list[str]]]:
    """Return header and rows: adversary by direction and budget, each with its best control; none without a study."""
    table = contents.folder.adversaries
    if table is None:
        return [], []
    budgets = list(dict.fromkeys(table.loc[table["metric"] == "success", "budget"]))
    header = ["adversary", "has", "direction", "rule", *budgets, "least change, SNR"]
    rows = []
    for key, own in table.groupby(["adversary", "surrogate", "access", "direction", "rule"], sort=False):
        adversary, surrogate, access, direction, rule = (str(part) for part in key)
        cells = [_success(own[own["budget"] == budget]) for budget in budgets]
        rows.append([adversary, surrogate or access, direction, rule, *cells, _least(own)])
    return header, rows


def _success(own: "pd.DataFrame") -> str:
    success = own[own["metric"] == "success"]
    if not len(success):
        return "-"
    [row] = success.to_dict("records")[:1]
    if not _is_number(row["value"]):
        return str(row["status"])
    controls = own.loc[own["metric"].str.startswith("control_"), "value"].dropna()
    return f"{row['value']:.2f}" + (f" ({controls.max():.2f})" if len(controls) else "")


def _least(own: "pd.DataFrame") -> str:
    least = own[own["metric"] == "least_distortion_db"]
    if not len(least):
        return "-"
    # Budgets of another norm are another row: of all, the change that is least in SNR.
    value = least["value"].max()
    return f"{value:.1f} dB" if _is_number(value) else str(least["status"].iloc[0])


def _is_number(value: Any) -> bool:
    return isinstance(value, float) and value == value
