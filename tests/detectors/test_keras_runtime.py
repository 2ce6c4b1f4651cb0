"""Keras is what mimics need, whatever the user set for other work."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCORE = """
import os
import numpy as np
from sealproof.detectors.mimics.keras_runtime import SETTINGS, import_keras
from sealproof.detectors.mimics.mimic import forward
from sealproof.detectors.mimics import get_mimic_recipe
def own():
    return {name: value for name, value in os.environ.items() if name.startswith("KERAS_")}
before = own()
keras = import_keras()
assert {name: getattr(keras.config, name)() for name in SETTINGS} == SETTINGS
assert keras.config.dtype_policy().name == "float32"
assert keras.config.max_epochs() is None
keras.utils.set_random_seed(0)
model = get_mimic_recipe("seed_cnn").build(8000)
score = forward(model)(0.1 * np.random.default_rng(0).standard_normal((2, 8000), dtype=np.float32))
assert score.dtype == np.float32 and score.shape == (2,)
assert own() == before
"""


def python(code: str, home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HOME": str(home), **variables}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize(
    ("variables", "settings"),
    [
        ({"KERAS_BACKEND": "torch"}, None),
        ({"KERAS_BACKEND": "jax", "KERAS_MAX_EPOCHS": "1"}, None),
        ({}, {"floatx": "float16", "backend": "torch", "image_data_format": "channels_first", "epsilon": 1e-3}),
        ({"KERAS_HOME": "elsewhere"}, {"floatx": "float8"}),
    ],
    ids=["torch", "jax", "keras.json", "KERAS_HOME"],
)
def test_what_the_user_set_does_not_hold(
    tmp_path: Path, variables: dict[str, str], settings: dict[str, object] | None
) -> None:
    folder = tmp_path / variables.get("KERAS_HOME", ".keras")
    folder.mkdir()
    if "KERAS_HOME" in variables:
        variables = {**variables, "KERAS_HOME": str(folder)}
    if settings is not None:
        (folder / "keras.json").write_text(json.dumps(settings))
    done = python(SCORE, tmp_path, **variables)
    assert done.returncode == 0, done.stderr
    # Neither read nor written.
    assert [path.name for path in folder.iterdir()] == ([] if settings is None else ["keras.json"])


def test_a_program_that_has_keras_with_another_backend_is_told_in_one_line(tmp_path: Path) -> None:
    code = (
        "import keras\n"
        "from sealproof.detectors import UnavailableError\n"
        "from sealproof.detectors.mimics.keras_runtime import import_keras\n"
        "try:\n    import_keras()\nexcept UnavailableError as error:\n    print(error)"
    )
    done = python(code, tmp_path, KERAS_BACKEND="torch")
    assert done.stdout == (
        "The backend of keras must be 'tensorflow' for mimics. This program imported keras before with 'torch': "
        "set it to 'tensorflow' (keras.json, KERAS_BACKEND).\n"
    ), done.stderr
