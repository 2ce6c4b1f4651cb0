"""An audit: every number of summary.csv is worked out anew from clips.csv, by other libraries and plain loops alone.

Nothing of sealproof computes here: it only makes the run. What is said of an interval is what any interval must have:
the value inside, and no narrower than one that takes clips for independent.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from scipy.stats import binom, spearmanr
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    cohen_kappa_score,
    matthews_corrcoef,
    recall_score,
    roc_auc_score,
    roc_curve,
)
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from sealproof.attacks import get_attack
from sealproof.detectors import get_scheme
from sealproof.detectors.base import Detection
from sealproof.harness.datasets.build import BuildRequest, build_dataset
from sealproof.harness.matrix.bench import Bench
from sealproof.harness.matrix.cell import matrix
from sealproof.harness.matrix.store import CellStore
from sealproof.harness.matrix.subject import Subject, subjects_of
from sealproof.harness.tables.write import write_tables

if TYPE_CHECKING:
    import pandas as pd

MIMIC, REFERENCE, N_BITS = "loudness", "spread_spectrum", 16
ATTACKS = ("identity", "white_noise.5db", "white_noise.10db", "white_noise.20db", "splice.50percent")
N_CLIPS = 720
"""Of these 15 % calibrate, which takes 99, and 20 % are judged."""


class Loudness:
    """A poor mimic: the louder, the surer."""

    sample_rate = 16_000
    threshold = 0.1
    name = MIMIC

    def detect(self, batch: np.ndarray) -> Detection:
        return Detection(score=np.sqrt(np.mean(batch**2, axis=1)).astype(np.float32))


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory, bench_corpus: object) -> Path:
    """The folder of a small, real run."""
    root = tmp_path_factory.mktemp("audit")
    request = BuildRequest(scheme="spread_spectrum", n_clips=N_CLIPS, clip_s=0.5)
    dataset, _ = build_dataset(bench_corpus, request, root / "data")  # type: ignore[arg-type]
    subjects = [*subjects_of(get_scheme(REFERENCE), []), Subject(MIMIC, "mimic", "1", Loudness)]
    bench = Bench(dataset, dataset.split("test"), subjects, CellStore(root / "cells"))
    cells = matrix(dataset, [get_attack(name) for name in ATTACKS], bench.pairs, seed=0)
    write_tables(bench, [bench.run(cell) for cell in cells], 0, root / "out")
    return root / "out"


@pytest.fixture(scope="module")
def summary(out: Path) -> "pd.DataFrame":
    import pandas as pd

    return pd.read_csv(out / "summary.csv", keep_default_na=False, na_values={"value": "", "ci_low": "", "ci_high": ""})


@pytest.fixture(scope="module")
def clips(out: Path) -> "pd.DataFrame":
    import pandas as pd

    table = pd.read_csv(out / "clips.csv", dtype={"params": str}, keep_default_na=False)
    for column in ("score", "bit_accuracy", "frame_iou", "mean_probability", "snr_db"):
        table[column] = pd.to_numeric(table[column])
    return table


@pytest.fixture(scope="module")
def facts(out: Path) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = json.loads((out / "run.json").read_text())["detectors"]
    return found


Found = Iterator[tuple[str, str, float]]
"""Threshold rule, metric and value."""


def rates(says: np.ndarray, truth: np.ndarray, rule: str) -> Found:
    yield rule, "accuracy", accuracy_score(truth, says)
    yield rule, "balanced_accuracy", balanced_accuracy_score(truth, says)
    yield rule, "tpr", recall_score(truth, says)
    yield rule, "fpr", 1 - recall_score(~truth, ~says)


def best_cut(scores: np.ndarray, truth: np.ndarray) -> float:
    """Return the highest of the cuts with the most clips right, by trying them all."""
    cuts = [*np.unique(scores).tolist(), -math.inf]
    return max(cuts, key=lambda cut: (np.sum((scores > cut) == truth), cut))


def tpr_at(scores: np.ndarray, truth: np.ndarray, target: float) -> float:
    """Return the TPR above the lowest clean score that a new clean clip exceeds rarely enough."""
    clean = scores[~truth]
    cuts = [cut for cut in clean if (np.sum(clean > cut) + 1) / (clean.size + 1) <= target]
    return float(np.mean(scores[truth] > min(cuts))) if cuts else math.nan


def equal_error(scores: np.ndarray, truth: np.ndarray) -> float:
    false_alarms, hits, _ = roc_curve(truth, scores)
    return float(brentq(lambda rate: 1 - rate - interp1d(false_alarms, hits)(rate), 0, 1))


def of_detector(part: "pd.DataFrame") -> Found:
    """Work out what is said of one detector under one attack."""
    truth, scores = (part["label"] == "watermarked").to_numpy(), part["score"].to_numpy()
    for rule in ("fixed", "fpr_1pct"):
        yield from rates(part[f"decision_{rule}"].astype(int).to_numpy() == 1, truth, rule)
    yield from rates(scores > best_cut(scores, truth), truth, "best")
    yield "", "auc", roc_auc_score(truth, scores)
    yield "", "eer", equal_error(scores, truth)
    yield "", "tpr_at_fpr_1pct", tpr_at(scores, truth, 0.01)
    shares = part["bit_accuracy"].dropna().to_numpy()
    if shares.size:
        right = np.round(shares * N_BITS)
        yield "", "bit_accuracy", right.mean() / N_BITS
        yield "", "exact_match", np.mean(right == N_BITS)
        yield "", "message_p_value", np.median(binom.sf(right - 1, N_BITS, 0.5))
    if part["frame_iou"].notna().any():
        yield "", "frame_iou", part["frame_iou"].mean()


def of_mimic(part: "pd.DataFrame", reference: "pd.DataFrame") -> Found:
    """Work out how far a mimic goes with the reference; rows of both are of the same clips, in the same order."""
    truth = (part["label"] == "watermarked").to_numpy()
    for rule in ("fixed", "fpr_1pct"):
        a, b = (table[f"decision_{rule}"].astype(int).to_numpy() == 1 for table in (part, reference))
        alike = accuracy_score(a, b)
        yield rule, "agreement", alike
        yield rule, "pabak", 2 * alike - 1
        # Where a detector is constant these are not defined; kappa only where both are.
        n_constant = sum(len(set(says)) == 1 for says in (a, b))
        yield rule, "cohens_kappa", cohen_kappa_score(a, b) if n_constant < 2 else math.nan
        yield rule, "mcc", matthews_corrcoef(a, b) if not n_constant else math.nan
        yield rule, "agreement_clean", accuracy_score(a[~truth], b[~truth])
        yield rule, "agreement_watermarked", accuracy_score(a[truth], b[truth])
        for name, chosen in (("right", b == truth), ("wrong", b != truth)):
            yield rule, f"agreement_reference_{name}", np.mean(a[chosen] == b[chosen]) if chosen.any() else math.nan
        counts = [[np.sum((a == truth) == x, where=(b == truth) == y) for y in (True, False)] for x in (True, False)]
        yield rule, "mcnemar_p", mcnemar(counts, exact=True).pvalue
    yield "", "spearman", spearmanr(part["score"], reference["score"]).statistic


def expected(clips: "pd.DataFrame") -> dict[tuple[str, str, str, str, str], float]:
    """Return every value that can be had from clips.csv: by attack, params, detector, rule and metric."""
    found: dict[tuple[str, str, str, str, str], float] = {}
    for (attack, params), cell in clips.groupby(["attack", "params"]):
        parts = dict(iter(cell.groupby("detector")))
        for name, part in parts.items():
            numbers = [*of_detector(part), *(of_mimic(part, parts[REFERENCE]) if name == MIMIC else ())]
            found |= {(attack, params, name, rule, metric): value for rule, metric, value in numbers}
        snr = float(parts[REFERENCE]["snr_db"].median())
        if np.isfinite(snr):
            found[attack, params, "", "", "snr_db"] = snr
    for rule in ("fixed", "fpr_1pct"):
        keys = [key for key in found if key[3:] == (rule, "mcnemar_p")]
        adjusted = multipletests([found[key] for key in keys], method="holm")[1]
        found |= {(*key[:4], "mcnemar_p_holm"): p for key, p in zip(keys, adjusted, strict=True)}
    return found


def test_every_value_can_be_worked_out_from_the_clips(summary: "pd.DataFrame", clips: "pd.DataFrame") -> None:
    worked_out = expected(clips)
    names = ["attack", "params", "detector", "threshold_rule", "metric"]
    written = dict(zip(summary[names].itertuples(index=False, name=None), summary["value"], strict=True))
    wrong = {
        key: (value, written[key])
        for key, value in worked_out.items()
        if not math.isclose(value, written[key], rel_tol=2e-5, abs_tol=6e-3 if key[4] == "snr_db" else 2e-6)
        and not (math.isnan(value) and math.isnan(written[key]))
    }
    assert wrong == {}
    left = {key for key, value in written.items() if key not in worked_out and not math.isnan(value)}
    # These need the audio itself.
    assert {key[4] for key in left} == {"si_sdr_db", "log_spectral_distance_db"}
    assert len(worked_out) > 250


def test_decisions_are_scores_held_against_the_thresholds(
    clips: "pd.DataFrame", facts: dict[str, dict[str, float]]
) -> None:
    for name, part in clips.groupby("detector"):
        # As written, a score has all the digits that it needs to lie on the right side.
        scores = part["score"].to_numpy(np.float32)
        for rule in ("fixed", "fpr_1pct"):
            says = scores > facts[name][f"threshold_{rule}"]
            assert (part[f"decision_{rule}"].astype(int) == says).all(), (name, rule)
        assert facts[name]["threshold_fpr_0.1pct"] is None


def test_rates_without_a_threshold_are_empty_and_say_why(summary: "pd.DataFrame") -> None:
    strict = summary[summary["threshold_rule"] == "fpr_0.1pct"]
    assert len(strict) == 4 * 2 * len(ATTACKS)
    assert strict["value"].isna().all()
    assert set(strict["status"]) == {"no_threshold"}
    assert strict["error"].str.startswith("no threshold: 0.1 % false positives take 999 clean calibration clips").all()
    assert set(summary[summary["threshold_rule"] != "fpr_0.1pct"]["status"]) == {"ok"}


def test_intervals_hold_their_value_and_are_no_narrower_than_wilsons(summary: "pd.DataFrame") -> None:
    known = summary.dropna(subset=["value", "ci_low", "ci_high"])
    assert ((known["ci_low"] <= known["value"]) & (known["value"] <= known["ci_high"])).all()
    of_rates = known[known["metric"].isin(["accuracy", "tpr", "fpr", "exact_match"]) & (known["threshold_rule"] != "")]
    assert len(of_rates) > 50
    for row in of_rates.itertuples():
        low, high = proportion_confint(round(row.value * row.n_clips), row.n_clips, method="wilson")
        assert row.ci_high - row.ci_low >= high - low - 3e-6, row


def test_no_number_of_clips_is_certain(summary: "pd.DataFrame") -> None:
    bounded = summary[(summary["role"] != "attack") & ~summary["metric"].str.startswith(("mcnemar", "message_p"))]
    known = bounded.dropna(subset=["ci_low", "ci_high"])
    assert (known["ci_high"] > known["ci_low"]).all()
