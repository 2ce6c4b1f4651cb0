"""What changes a cell's key, a detector's version and a mimic's: files of a copy of sealproof and of plug-ins, changed.

Each key is computed by a new process, as the next run would.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from textwrap import dedent

import pytest

import sealproof.attacks
from sealproof.attacks import AttackError, attack_class, get_attack
from sealproof.attacks.contract.base import Attack
from sealproof.attacks.identity import Identity
from sealproof.attacks.verification.verify import verify
from sealproof.detectors.base import DetectorError
from sealproof.detectors.spread_spectrum.scheme import SpreadSpectrumScheme
from sealproof.harness.datasets.content_keys import attacks_sha256, scheme_sha256

MP3, NOISE, LOWPASS, ECHO = "mp3.64kbps", "white_noise.20db", "lowpass.4khz", "acme_echo"
CHAIN = f"{MP3}+{NOISE}"

KEYS = """
import json, sys, tempfile
from pathlib import Path
import sealproof
from sealproof.attacks import get_attack
from sealproof.detectors import get_scheme
from sealproof.detectors.mimics import get_mimic_recipe, list_mimics
from sealproof.harness.datasets.content_keys import marking_version
from sealproof.harness.matrix.cell import Cell
from sealproof.harness.matrix.subject import subjects_of
from sealproof.harness.training.mimics.train import recipe_key

assert Path(sealproof.__file__).is_relative_to(sys.argv[1]), sealproof.__file__
kind, names = sys.argv[2], sys.argv[3:]
keys = {
    "cells": lambda name: Cell("perth", get_attack(name), 0, "test", (), "").key,
    "schemes": lambda name: subjects_of(get_scheme(name), [])[0].version,
    "datasets": lambda name: marking_version(get_scheme(name)),
    "mimics": lambda name: recipe_key(get_mimic_recipe(name)),
}
print(json.dumps({name: keys[kind](name) for name in names}))
"""

PLUG_IN = {
    "acme_attacks/__init__.py": "",
    "acme_attacks/echo.py": """
        from dataclasses import dataclass
        from typing import ClassVar
        from sealproof.attacks import Attack
        @dataclass(frozen=True, kw_only=True)
        class Echo(Attack):
            name: ClassVar[str] = "acme_echo"
            family: ClassVar[str] = "echo"
            def apply(self, clip, sample_rate, rng):
                from acme_dsp.gain import scaled
                return scaled(clip)
    """,
    "acme_attacks/other.py": "",
    "acme_dsp/__init__.py": "",
    "acme_dsp/gain.py": "def scaled(clip): return 0.5 * clip",
}

SCHEME = {
    "mymark/__init__.py": "",
    "mymark/core.py": "THRESHOLD = 0.5",
    "mymark/integrations/__init__.py": "",
    "mymark/integrations/seal.py": """
        from importlib import import_module
        from pathlib import Path
        from sealproof.detectors import Scheme
        class SealScheme(Scheme):
            name = "mymark"
            summary = "somebody's own"
            version = "1"
            files = (Path(__file__).parents[2] / "weights.bin",)
            def load_watermarker(self):
                return import_module(self.__module__.partition(".")[0] + ".core")
            load_detector = load_watermarker
    """,
    "mymark/reader/__init__.py": "",
    "weights.bin": "1 2 3",
}


@dataclass
class Checkout:
    """A copy of sealproof's code, and distributions beside it."""

    root: Path

    def keys(self, kind: str, *names: str) -> dict[str, str]:
        """Return the keys of `cells`, `schemes` or `mimics` as a new process finds them."""
        environment = {**os.environ, "PYTHONPATH": str(self.root), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-c", KEYS, str(self.root), kind, *names]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=self.root, check=False)
        assert done.returncode == 0, done.stderr
        found: dict[str, str] = json.loads(done.stdout)
        return found

    def changed(self, kind: str, *names: str, by: Callable[[], object]) -> set[str]:
        """Return the names whose keys are others once something is done."""
        before = self.keys(kind, *names)
        assert len(set(before.values())) == len(names)
        by()
        return {name for name, key in self.keys(kind, *names).items() if key != before[name]}

    def touch(self, name: str) -> None:
        path = self.root / name
        path.write_text(f"{path.read_text(encoding='utf-8')}\n# changed\n", encoding="utf-8")

    def file_of(self, module: str) -> str:
        """Return where a module of sealproof stands in the copy."""
        spec = import_module(module).__spec__
        assert spec is not None
        parts = module.split(".")
        return "/".join(
            [*parts, "__init__.py"] if spec.submodule_search_locations else [*parts[:-1], f"{parts[-1]}.py"]
        )

    def install(self, distribution: str, files: dict[str, str], group: str, point: str) -> None:
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text))
        info = self.root / f"{distribution}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{point}\n")
        (info / "RECORD").write_text("".join(f"{name},sha256=x,1\n" for name in files))


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A copy of sealproof that may be changed."""
    for package in ("attacks", "detectors", "harness"):
        source = Path(str(import_module(f"sealproof.{package}").__file__)).parent
        ignore = shutil.ignore_patterns("__pycache__", "*.safetensors", "*.keras", "script", "*.png")
        shutil.copytree(source, tmp_path / "sealproof" / package, ignore=ignore)
    shutil.copy(str(sealproof.__file__), tmp_path / "sealproof/__init__.py")
    return Checkout(tmp_path)


def module_of(name: str) -> str:
    return attack_class(name).__module__


@pytest.mark.parametrize(
    ("module", "attacks"),
    [
        (module_of("white_noise"), {NOISE, CHAIN}),
        (module_of("mp3"), {MP3, CHAIN}),
        (module_of("lowpass"), {LOWPASS}),
        (Attack.__module__, {MP3, NOISE, LOWPASS, CHAIN}),
        (verify.__module__, {MP3, NOISE, LOWPASS, CHAIN}),
    ],
)
def test_a_changed_file_changes_the_keys_of_what_rests_on_it(
    checkout: Checkout, module: str, attacks: set[str]
) -> None:
    touch = checkout.file_of(module)
    assert checkout.changed("cells", MP3, NOISE, LOWPASS, CHAIN, by=lambda: checkout.touch(touch)) == attacks


def test_a_new_attack_changes_no_other_key(checkout: Checkout) -> None:
    def add() -> None:
        registry = checkout.root / checkout.file_of("sealproof.attacks")
        text = registry.read_text(encoding="utf-8")
        entry = '    "mp3": "'
        assert entry in text
        registry.write_text(text.replace(entry, f'    "moo": "sealproof.attacks.moo:Moo",\n{entry}'), encoding="utf-8")
        shutil.copy(checkout.root / checkout.file_of(module_of("gain")), registry.with_name("moo.py"))

    assert checkout.changed("cells", MP3, NOISE, CHAIN, by=add) == set()


@pytest.mark.parametrize(
    ("name", "is_used"),
    [("acme_attacks/echo.py", True), ("acme_dsp/gain.py", True), ("acme_attacks/other.py", False)],
)
def test_a_plug_in_and_its_helpers_count_alone_and_inside_a_chain(checkout: Checkout, name: str, is_used: bool) -> None:
    checkout.install("acme-attacks", PLUG_IN, "sealproof.attacks", "acme_echo = acme_attacks.echo:Echo")
    ids = (MP3, ECHO, f"{MP3}+{ECHO}", f"{ECHO}+{MP3}")
    changed = checkout.changed("cells", *ids, by=lambda: checkout.touch(name))
    assert changed == (set(ids[1:]) if is_used else set())


def test_a_plug_in_rests_on_the_code_of_sealproof_that_it_builds_on(checkout: Checkout) -> None:
    checkout.install("acme-attacks", PLUG_IN, "sealproof.attacks", "acme_echo = acme_attacks.echo:Echo")
    base, noise = (checkout.file_of(module) for module in (Attack.__module__, module_of("white_noise")))
    assert checkout.changed("cells", ECHO, by=lambda: checkout.touch(noise)) == set()
    assert checkout.changed("cells", ECHO, by=lambda: checkout.touch(base)) == {ECHO}


@pytest.mark.parametrize(
    "name", ["mymark/core.py", "mymark/integrations/seal.py", "mymark/reader/__init__.py", "weights.bin"]
)
def test_the_version_of_a_users_scheme_is_of_its_whole_package_and_its_files(checkout: Checkout, name: str) -> None:
    checkout.install("mymark", SCHEME, "sealproof.schemes", "mymark = mymark.integrations.seal:SealScheme")
    schemes = ("mymark", "spread_spectrum")
    assert checkout.changed("schemes", *schemes, by=lambda: checkout.touch(name)) == {"mymark"}


def test_a_dataset_is_of_the_code_of_a_users_scheme_and_of_the_version_of_sealproofs_own(checkout: Checkout) -> None:
    checkout.install("mymark", SCHEME, "sealproof.schemes", "mymark = mymark.integrations.seal:SealScheme")

    def touch() -> None:
        checkout.touch("mymark/core.py")
        checkout.touch(checkout.file_of("sealproof.detectors.perth"))

    assert checkout.changed("datasets", "mymark", "perth", by=touch) == {"mymark"}


def test_a_declared_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    class Own(SpreadSpectrumScheme):
        files = (tmp_path / "weights.bin",)

        def prepare(self) -> None:
            prepared.append(self.name)

    prepared: list[str] = []
    with pytest.raises(DetectorError, match=r"The 'files' of spread_spectrum must be files or .*weights\.bin"):
        scheme_sha256(Own())
    assert prepared == ["spread_spectrum"]
    (tmp_path / "weights.bin").write_bytes(b"1")
    assert len(scheme_sha256(Own())) == 64


def test_a_scheme_of_sealproof_rests_on_its_own_modules_alone(checkout: Checkout) -> None:
    schemes = ("spread_spectrum", "perth", "audioseal_mini")
    touch = checkout.file_of("sealproof.detectors.perth")
    assert checkout.changed("schemes", *schemes, by=lambda: checkout.touch(touch)) == {"perth"}
    touch = checkout.file_of("sealproof.detectors.base")
    assert checkout.changed("schemes", *schemes, by=lambda: checkout.touch(touch)) == set(schemes)


@pytest.mark.parametrize(
    ("module", "mimics"),
    [
        ("sealproof.harness.training.mimics.mixtures", {"distilled_cnn", "fine_spectrogram_cnn", "waveform_cnn"}),
        ("sealproof.harness.training.mimics.fit_clips", {"seed_cnn", "spectrogram_cnn"}),
        ("sealproof.harness.statistics.break_point", set()),
        (module_of("white_noise"), {"distilled_cnn"}),
    ],
)
def test_a_mimic_is_trained_again_for_changed_code_of_its_training_or_of_its_queries(
    checkout: Checkout, module: str, mimics: set[str]
) -> None:
    touch = checkout.file_of(module)
    names = ("distilled_cnn", "fine_spectrogram_cnn", "seed_cnn", "spectrogram_cnn", "waveform_cnn")
    assert checkout.changed("mimics", *names, by=lambda: checkout.touch(touch)) == mimics


@pytest.mark.parametrize("variant", ["alone", "chain"])
def test_weights_that_an_attack_declares_count_by_their_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: str
) -> None:
    encodec = attack_class("encodec").standard()[0]
    attack = encodec if variant == "alone" else get_attack(f"{MP3}+{encodec.id}")
    weights = tmp_path / "weights.th"
    monkeypatch.setenv("SEALPROOF_ENCODEC_WEIGHTS", str(weights))
    without = attacks_sha256([attack])
    weights.write_bytes(b"1")
    first = attacks_sha256([attack])
    weights.write_bytes(b"2 3")
    assert len({without, first, attacks_sha256([attack])}) == 3


def test_a_file_that_an_attack_declares_and_that_is_not_there_is_named(tmp_path: Path) -> None:
    class Noisy(Identity):
        files = (tmp_path / "street.wav",)

    with pytest.raises(AttackError, match=r"The 'files' of identity must be files or .*street\.wav"):
        attacks_sha256([Noisy()])
