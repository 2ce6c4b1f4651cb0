"""What is kept with a trained scheme: weights, recipe, training curve, metrics, and a card that says what it is."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealproof.detectors.audioseal.net_file import Net, write_net
from sealproof.harness.foundation.files import write_json, write_text
from sealproof.harness.foundation.text import csv_text
from sealproof.harness.foundation.versions import package_versions
from sealproof.harness.statistics.estimation.estimate import Estimate
from sealproof.harness.training.schemes.evaluate import Evaluation
from sealproof.harness.training.schemes.plot import plot_training
from sealproof.harness.training.schemes.recipe import Recipe

NOT_METAS = "It is *not* Meta's model: neither its weights nor its results are those of the published AudioSeal."


@dataclass(frozen=True)
class TrainedScheme:
    """A scheme and all that its card says.

    Attributes:
        recipe: What it was trained by.
        nets: Generator and detector.
        corpora: What it was trained on, as each corpus describes itself, with the number of training clips.
        data_licence: What the user says of the licence of the corpora, or nothing.
        hours: Duration of the training.
        log: Rows of the training curve.
        evaluations: What was measured, by the name of the corpus.
    """

    recipe: Recipe
    nets: tuple[Net, Net]
    corpora: Sequence[Mapping[str, object]]
    data_licence: str
    hours: float
    log: Sequence[Mapping[str, float]]
    evaluations: Mapping[str, Evaluation]


def write_scheme(scheme: TrainedScheme, folder: Path) -> Path:
    """Write everything that belongs to a scheme into a folder; return the card."""
    hashes = {net.kind: write_net(folder / f"{net.kind}.safetensors", net) for net in scheme.nets}
    write_text(folder / "recipe.toml", recipe_toml(scheme.recipe))
    write_text(folder / "metrics.csv", _metrics_csv(scheme.evaluations))
    plot_training(scheme.log, folder / "training.png")
    sizes = {net.kind: sum(tensor.numel() for tensor in net.tensors.values()) for net in scheme.nets}
    facts = {
        "name": scheme.recipe.name,
        "sha256": hashes,
        "parameters": sizes,
        "corpora": list(scheme.corpora),
        "data_licence": scheme.data_licence,
        "seed": scheme.recipe.seed,
        "steps": scheme.recipe.all_steps,
        "hours": round(scheme.hours, 2),
        "packages": package_versions(),
    }
    write_json(folder / "card.json", facts)
    write_text(folder / "README.md", _card(scheme, facts))
    return folder / "README.md"


def recipe_toml(recipe: Recipe) -> str:
    """Write a recipe as TOML that `load_recipe` reads back."""
    tables = recipe.as_dict()
    lines = [f"{key} = {_value(value)}" for key, value in tables.items() if not isinstance(value, Mapping)]
    for key, table in tables.items():
        if isinstance(table, Mapping):
            lines += ["", f"[{key}]", *(f"{name} = {_value(value)}" for name, value in table.items())]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    # What a recipe holds - texts, numbers, lists of numbers - is written alike in JSON and TOML.
    return json.dumps(list(value) if isinstance(value, tuple) else value)


_COLUMNS = ("auc", "tpr_fixed", "fpr_fixed", "tpr_calibrated", "fpr_calibrated", "bit_accuracy")


def _metrics_csv(evaluations: Mapping[str, Evaluation]) -> str:
    columns = ("corpus", "attack", "metric", "value", "ci_low", "ci_high", "n_clips", "n_groups")
    rows = []
    for (corpus, attack, metric), estimate in _estimates(evaluations):
        ends = (estimate.value, estimate.ci_low, estimate.ci_high)
        numbers = ["" if math.isnan(number) else f"{number:.6g}" for number in ends]
        rows.append([corpus, attack, metric, *numbers, estimate.n_clips, estimate.n_groups])
    return csv_text(columns, rows)


def _estimates(evaluations: Mapping[str, Evaluation]) -> Iterator[tuple[tuple[str, str, str], Estimate]]:
    """Yield what was measured, by corpus, attack and metric."""
    for corpus, evaluation in evaluations.items():
        yield (corpus, "identity", "watermark_snr_db"), evaluation.snr_db
        for attacked in evaluation.rows:
            yield from (((corpus, attacked.attack, metric), getattr(attacked, metric)) for metric in _COLUMNS)
        yield from (((sound, "identity", "fpr_fixed"), estimate) for sound, estimate in evaluation.false_alarms.items())


def _card(scheme: TrainedScheme, facts: Mapping[str, Any]) -> str:
    recipe, net = scheme.recipe, scheme.recipe.net
    parts = [
        f"# {recipe.name}",
        f"A watermark generator and detector of AudioSeal's architecture, trained by sealproof. {NOT_METAS}",
        "## Architecture",
        f"Built by `create_generator` and `create_detector` of the package audioseal: SEANet, {net.n_filters} filters, "
        f"dimension {net.dimension}, ratios {', '.join(map(str, net.ratios))}, {net.generator_lstm} LSTM layers in the "
        f"generator and {net.detector_lstm} in the detector, {net.message_bits}-bit message, 16 kHz mono. Parameters: "
        f"generator {facts['parameters']['generator']:,}, detector {facts['parameters']['detector']:,}. The published "
        "scheme has 14,675,873 and 8,647,298.",
        "## Training",
        *(f"- {_corpus_line(corpus)}" for corpus in scheme.corpora),
        f"- Licence of the recordings: {scheme.data_licence or 'not stated'}. Built-in music is sealproof's own (MIT).",
        f"- Recipe: `recipe.toml` beside this; {recipe.steps:,} steps and {recipe.listening.steps:,} of the detector "
        f"alone, seed {recipe.seed}, {scheme.hours:.2f} hours.",
        "- Curve: `training.csv`, drawn in `training.png`.",
        "- Packages: " + ", ".join(f"{name} {version}" for name, version in facts["packages"].items()) + ".",
        "## What the mark looks like",
        "Test clips, clean and marked, and the mark alone, on one scale:",
        "![Spectrograms of clean and marked clips](watermark.png)",
        "## Measured",
        "On 1-s clips of recordings that were not trained on; the 1 % threshold is set on clean, unattacked clips of "
        "further recordings. 95 % intervals resample recordings. `metrics.csv` has all of it.",
        *(section for name, evaluation in scheme.evaluations.items() for section in _section(name, evaluation)),
    ]
    return "\n\n".join(parts).replace("\n\n- ", "\n- ") + "\n"


def _corpus_line(corpus: Mapping[str, object]) -> str:
    rest = ", ".join(f"{key} {value}" for key, value in corpus.items() if key not in ("kind", "name", "train_clips"))
    return f"{corpus['train_clips']} training clips of `{corpus.get('name', corpus.get('kind'))}` ({rest})."


def _section(name: str, evaluation: Evaluation) -> list[str]:
    snr = evaluation.snr_db
    titles = ("attack", "AUC", "TPR at 1 % FPR", "FPR there", "TPR at 0.5", "FPR at 0.5", "bit accuracy")
    head = f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}"
    rows = [
        "| "
        + " | ".join(
            [
                row.attack,
                _number(row.auc),
                _number(row.tpr_calibrated),
                _number(row.fpr_calibrated),
                _number(row.tpr_fixed),
                _number(row.fpr_fixed),
                _number(row.bit_accuracy),
            ]
        )
        + " |"
        for row in evaluation.rows
    ]
    alarms = ", ".join(f"{sound} {_number(estimate)}" for sound, estimate in evaluation.false_alarms.items())
    return [
        f"### {name}: {snr.n_clips} clips of {snr.n_groups} recordings",
        f"Median signal-to-watermark ratio {snr.value:.1f} dB [{snr.ci_low:.1f}, {snr.ci_high:.1f}]. "
        f"{_threshold(evaluation.threshold)}",
        "\n".join([head, *rows]),
        f"False alarms (score above 0.5) on what is no music: {alarms}.",
    ]


def _threshold(value: float | None) -> str:
    if value is None:
        return "There is no threshold at 1 % FPR: it takes 99 clean calibration clips."
    return f"Threshold at 1 % FPR: {value:.3f}."


def _number(estimate: Estimate) -> str:
    return (
        "-" if math.isnan(estimate.value) else f"{estimate.value:.3f} [{estimate.ci_low:.3f}, {estimate.ci_high:.3f}]"
    )
