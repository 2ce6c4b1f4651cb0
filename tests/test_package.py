"""What `import sealproof` offers, and that it costs nothing before it is used."""

import subprocess
import sys
from importlib import import_module

import pytest

import sealproof


def test_each_name_is_the_thing_at_its_home() -> None:
    assert sorted(sealproof._HOMES) == sealproof.__all__
    for name, home in sealproof._HOMES.items():
        assert getattr(sealproof, name) is getattr(import_module(home), name)
        assert name in dir(sealproof)


def test_another_name_is_refused_with_what_there_is() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'get_atack'\. It offers Dataset, .*get_attack"):
        _ = sealproof.get_atack


def test_importing_it_loads_none_of_it() -> None:
    code = "import sys, sealproof; print([name for name in sys.modules if name.startswith('sealproof.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_notebook_attacks_a_clip_in_two_lines() -> None:
    import numpy as np

    clip = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 16_000)).astype(np.float32)
    softer = sealproof.get_attack("gain.-6db")(clip, 16_000, [0])[0]
    assert np.abs(softer).max() == pytest.approx(10 ** (-6 / 20) * np.abs(clip).max(), rel=1e-3)
