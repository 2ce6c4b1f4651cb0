"""The small print of a report: what failed, what attacks did that they should not, and how the run was made."""

from collections.abc import Iterator

from sealproof.harness.report.verdict import cell_text
from sealproof.harness.tables.reading.run_folder import RunFolder


def failures(folder: RunFolder) -> list[tuple[str, str]]:
    """Return the failed cells and why each failed."""
    return [(cell_text(cell), cell.error) for cell in folder.cells if cell.error]


def attack_notes(folder: RunFolder) -> list[tuple[str, str]]:
    """Return what is odd about attacks that ran: claims that no clip allowed to measure, and duplicates."""
    table = folder.attacks
    names = {(cell.attack, cell.params): cell_text(cell) for cell in folder.cells}
    remarks: dict[tuple[str, str], str] = {}
    for row in table[(table["status"] == "unmeasured") | (table["duplicate_of"] != "")].to_dict("records"):
        name = names.get((row["attack"], row["params"]), f"{row['attack']} {row['params']}")
        if row["duplicate_of"]:
            remarks[name, f"did the same to every clip, bit for bit, as {row['duplicate_of']}"] = ""
        if row["status"] == "unmeasured":
            remarks[name, f"claims something of {row['quantity']} that no clip allowed to measure"] = ""
    return list(remarks)


def run_facts(folder: RunFolder) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the facts of a run under headings."""
    facts = folder.facts
    attack_s = sum(float(cell.get("attack_s", 0)) for cell in facts["cells"])
    seconds = [("attacks", f"{attack_s:,.1f} s")]
    for detector in folder.detectors:
        took = sum(float(cell.get("detect_s", {}).get(detector.name, 0)) for cell in facts["cells"])
        seconds.append((detector.name, f"{took:,.1f} s"))
    return [
        ("Run", list(_run(folder))),
        *((detector.name, list(_detector(folder, index))) for index, detector in enumerate(folder.detectors)),
        ("Seconds", seconds),
        ("Machine", [(name, str(value)) for name, value in facts.get("machine", {}).items()]),
        ("Packages", [(name, str(value)) for name, value in facts.get("packages", {}).items()]),
        ("Files, SHA-256", [(name, str(value)) for name, value in facts["files"].items()]),
    ]


def _run(folder: RunFolder) -> Iterator[tuple[str, str]]:
    facts = folder.facts
    yield "written", str(facts.get("written", ""))
    yield "dataset", str(facts["dataset"])
    yield "dataset SHA-256", str(facts["dataset_sha256"])
    yield "scheme", folder.scheme
    yield "test pairs", str(facts.get("n_test_pairs", ""))
    yield "recordings", str(facts.get("n_test_groups", ""))
    yield "cells", str(len(folder.cells))
    yield "seed of the run", str(facts["seed"])
    yield "seed of the dataset", str(facts.get("dataset_seed", ""))
    yield "content SHA-256", str(facts.get("content_sha256", ""))


def _detector(folder: RunFolder, index: int) -> Iterator[tuple[str, str]]:
    detector = folder.detectors[index]
    yield "role", detector.role
    yield "version", detector.version
    for rule, value in detector.thresholds.items():
        yield f"threshold, {rule}", f"{value:.6g}"
    yield "clean clips to calibrate", str(detector.n_calibration)
    if detector.role == "reference":
        yield from (("diagnosis", sentence) for sentence in folder.diagnosis)
