"""Recipes of schemes: what ships, what is read back, and what is refused."""

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sealproof.detectors.audioseal.net_file import Kind
from sealproof.detectors.audioseal.nets import build_net
from sealproof.detectors.audioseal.store import KINDS
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.training.schemes.augment import PERTURBATIONS
from sealproof.harness.training.schemes.card import recipe_toml
from sealproof.harness.training.schemes.recipe import RECIPES, Recipe, load_recipe, recipe_from

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_that_ship_load_and_survive_being_written(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name.startswith("audioseal_")
    assert set(recipe.perturbations) <= set(PERTURBATIONS)
    assert recipe_from(tomllib.loads(recipe_toml(recipe))) == recipe


def test_a_recipe_of_ones_own_is_read_from_its_file(tmp_path: Path, tiny: Recipe) -> None:
    path = tmp_path / "own.toml"
    path.write_text(recipe_toml(replace(tiny, learning_rate=1e-05)))
    assert load_recipe(str(path)) == replace(tiny, learning_rate=1e-05)


def without(tables: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in tables.items() if key != name}


MINI = load_recipe("mini").as_dict()


@pytest.mark.parametrize(
    ("tables", "rule"),
    [
        ({**MINI, "colour": "blue"}, r"table 'recipe' .*must hold name, .*Unknown: \['colour'\]"),
        ({**MINI, "net": {**MINI["net"], "layers": 3}}, r"table 'net' .*Unknown: \['layers'\]"),
        (without(MINI, "learning_rate"), r"table 'recipe' .*missing: \['learning_rate'\]"),
        (without(MINI, "shift"), r"table 'shift' .*missing: \['full_at'"),
        ({**MINI, "weights": without(MINI["weights"], "level")}, r"table 'weights' .*missing: \['level'\]"),
        ({**MINI, "messages": 5}, "messages must be 0 or divide the batch"),
        ({**MINI, "clean": {**MINI["clean"], "per_batch": 20}}, "clean.per_batch must be a multiple of a quarter"),
        ({**MINI, "clean": {**MINI["clean"], "sounds": 0.9, "means": 0.2}}, "shares of clean must be 0 or more and 1"),
        ({**MINI, "spread": {**MINI["spread"], "clip_bins": 0.5}}, "spread.clip_bins and batch_bins must be 1 or more"),
        ({**MINI, "time_scale": {**MINI["time_scale"], "largest": 0.5}}, "time_scale.largest must be from 0 to 0.1"),
        (
            {**MINI, "start": "lines", "net": {**MINI["net"], "n_filters": 32}},
            "net must have four ratios and at most 16 filters",
        ),
        ({**MINI, "batch": 6}, "batch must be a multiple of 4"),
        ({**MINI, "batch": 0}, "batch must be a multiple of 4"),
        ({**MINI, "steps": 0}, "steps must be at least 1"),
        ({**MINI, "seed": -1}, "seed must be 0 or more"),
        ({**MINI, "shift": {**MINI["shift"], "full_at": MINI["shift"]["start"]}}, "shift.full_at must be above start"),
        ({**MINI, "perturbations": {"none": 1.0, "fly": 1.0}}, "perturbations must be among none, white_noise"),
        ({**MINI, "perturbations": {"none": 2.0, "codec": -1.0}}, "must be 0 or more, one above"),
        ({**MINI, "perturbations": {"none": 0.0, "codec": 0.0}}, "must be 0 or more, one above"),
        ({**MINI, "perturbations": {}}, "must be 0 or more, one above"),
        ({**MINI, "steps": "many"}, "'recipe.steps' of a recipe must be of the kind .*'many'"),
        ({**MINI, "steps": 2.5}, "'recipe.steps' of a recipe must be of the kind"),
        ({**MINI, "net": 3}, "'net' of a recipe must be a table"),
        ({**MINI, "perturbations": 3}, "'recipe.perturbations' of a recipe must be of the kind"),
        ({**MINI, "name": 3}, "'recipe.name' of a recipe must be of the kind"),
    ],
)
def test_a_recipe_that_is_not_one_is_refused(tables: dict[str, Any], rule: str) -> None:
    with pytest.raises(HarnessError, match=rule):
        recipe_from(tables)


def test_a_recipe_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"one of mini, lines, full or a TOML .*nowhere\.toml: .*No such file"):
        load_recipe("nowhere.toml")
    (tmp_path / "bad.toml").write_text("steps = = 3")
    with pytest.raises(HarnessError, match=r"bad\.toml must be TOML: "):
        load_recipe(str(tmp_path / "bad.toml"))
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(HarnessError, match=r"or a TOML file\. Got .*bad\.toml"):
        load_recipe(str(tmp_path / "bad.toml"))


@pytest.mark.parametrize("kind", KINDS)
def test_networks_have_the_shape_of_the_recipe(kind: Kind, tiny: Recipe) -> None:
    net = build_net(kind, tiny.net_config(kind))
    n_lstm = {"generator": tiny.net.generator_lstm, "detector": tiny.net.detector_lstm}[kind]
    assert sum("weight_ih_l" in name for name in net.state_dict()) == n_lstm
    assert (net.msg_processor.nbits if kind == "generator" else net.nbits) == 16


def test_what_an_older_recipe_does_not_name_is_not_asked_for() -> None:
    tables = {
        name: part for name, part in MINI.items() if name not in ("start", "messages", "spread", "clean", "time_scale")
    }
    assert recipe_from(tables) == load_recipe("mini")
    assert load_recipe("mini").time_scale.share == load_recipe("mini").spread.common == 0
    assert [load_recipe("mini").n_clean(listening=listening) for listening in (False, True)] == [8, 16]
