"""The examples of docs/extending.md are code that runs, each in a file of its own."""

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sealproof.harness.datasets.dataset import Dataset

PAGE = Path(__file__).parents[1] / "docs/extending.md"

Example = Callable[[str], Any]


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """example(name): the class of that name, from a module that is written as docs/extending.md has it."""
    monkeypatch.syspath_prepend(tmp_path)

    def imported(name: str) -> Any:
        blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
        [code] = [block for block in blocks if f"class {name}(" in block]
        module = f"example_{name.lower()}"
        (tmp_path / f"{module}.py").write_text(code, encoding="utf-8")
        return getattr(importlib.import_module(module), name)

    return imported


def test_the_attack_keeps_the_contract(example: Example) -> None:
    from sealproof.attacks.testing import check_attack

    for attack in example("PreEmphasis").standard():
        check_attack(attack)


def test_an_attack_that_breaks_its_claim_does_not(example: Example) -> None:
    from sealproof.attacks.testing import check_attack

    honest = example("PreEmphasis")

    @dataclass(frozen=True, kw_only=True)
    class Louder(honest):  # type: ignore[misc, valid-type]
        def apply(self, clip: Any, sample_rate: int, rng: Any) -> Any:
            return 4 * super().apply(clip, sample_rate, rng)

    with pytest.raises(AssertionError, match="does not do on music what it claims: level_change_db"):
        check_attack(Louder(coefficient=0.5))


def test_the_scheme_keeps_the_contract(example: Example) -> None:
    from sealproof.detectors.testing import check_scheme

    check_scheme(example("LastBit")())


def test_the_mimic_is_trained_and_scores(
    example: Example, bench_copy: Callable[[str], Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sealproof.detectors import mimics
    from sealproof.harness.training.mimics.train import TrainRequest, train_mimic

    recipe = example("MeanSpectrum")
    monkeypatch.setitem(mimics._RECIPES, recipe.name, f"{recipe.__module__}:{recipe.__name__}")
    dataset = bench_copy("bench")
    trained, is_new = train_mimic(dataset, TrainRequest(mimic=recipe.name, epochs=1))
    assert is_new
    assert (trained.card["mimic"], trained.card["access"], trained.card["epochs_run"]) == (recipe.name, "labels", 1)
    rows = [row for pair in dataset.split("test") for row in (pair.clean, pair.watermarked)]
    scores = trained.detector().detect(dataset.audio(rows)).score
    assert ((scores > 0) & (scores < 1)).all()
    assert len(set(scores.tolist())) == len(rows)
