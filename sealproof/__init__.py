"""Proof-test audio watermark detectors: datasets, mimics, perturbations, accuracy and agreement tables.

What a notebook needs is at hand here, and loaded when it is first used.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sealproof.attacks import get_attack, list_attacks
    from sealproof.attacks.selection import load_attacks
    from sealproof.detectors import get_scheme, list_schemes
    from sealproof.harness.comparison.runs import compare_runs
    from sealproof.harness.datasets.dataset import Dataset
    from sealproof.harness.matrix.assembly import cells_of, open_bench
    from sealproof.harness.matrix.request import RunRequest
    from sealproof.harness.report.write import write_report
    from sealproof.harness.tables.reading.run_folder import RunFolder

# Torch's threads (OpenMP) spin while they wait. Where others compute too, tensorflow's for one, they spin in each
# other's way: a detector then took 132 ms a clip in place of 10. Read when torch is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_HOMES = {
    "Dataset": "sealproof.harness.datasets.dataset",
    "RunFolder": "sealproof.harness.tables.reading.run_folder",
    "RunRequest": "sealproof.harness.matrix.request",
    "cells_of": "sealproof.harness.matrix.assembly",
    "compare_runs": "sealproof.harness.comparison.runs",
    "get_attack": "sealproof.attacks",
    "get_scheme": "sealproof.detectors",
    "list_attacks": "sealproof.attacks",
    "list_schemes": "sealproof.detectors",
    "load_attacks": "sealproof.attacks.selection",
    "open_bench": "sealproof.harness.matrix.assembly",
    "write_report": "sealproof.harness.report.write",
}

__all__ = [
    "Dataset",
    "RunFolder",
    "RunRequest",
    "cells_of",
    "compare_runs",
    "get_attack",
    "get_scheme",
    "list_attacks",
    "list_schemes",
    "load_attacks",
    "open_bench",
    "write_report",
]


def __getattr__(name: str) -> Any:
    """Load one of the names above from its home."""
    if name not in _HOMES:
        raise AttributeError(f"module 'sealproof' has no attribute {name!r}. It offers {', '.join(__all__)}.")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """List what is offered, for completion in a notebook."""
    return [*globals(), *__all__]
