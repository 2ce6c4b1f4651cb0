"""Finished imitations on disk: who said what on the exam, so that every number can be taken from it again."""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sealproof.harness.foundation.files import write_atomically
from sealproof.harness.studies.extraction.exam.clips import Decisions


@dataclass(frozen=True)
class Point:
    """One imitation, judged.

    Attributes:
        decisions: What it said, (cells, 2 n).
        facts: What it learnt from: `n_pairs`, `n_altered`, `train_s`.
    """

    decisions: Decisions
    facts: dict[str, Any]


def write_point(path: Path, point: Point) -> None:
    """Keep a point.

    Raises:
        OSError: It cannot be written.
    """
    content = io.BytesIO()
    np.savez_compressed(content, decisions=point.decisions, facts=np.array(json.dumps(point.facts)))
    write_atomically(path, lambda file: file.write(content.getvalue()))


def read_point(path: Path) -> Point | None:
    """Read a point, or None where there is none.

    Raises:
        OSError: It cannot be read.
    """
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as content:
        return Point(content["decisions"], json.loads(str(content["facts"])))
