"""A package that is installed and broken takes along what stands on it, and nothing else: whole commands."""

import csv
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sealproof.harness.datasets.dataset import Dataset

Broken = Callable[..., dict[str, str]]


def sealproof(environment: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sealproof", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def failures(folder: Path) -> dict[str, str]:
    with (folder / "summary.csv").open(encoding="utf-8", newline="") as file:
        return {row["attack"]: row["error"] for row in csv.DictReader(file) if row["status"] == "failed"}


@pytest.mark.parametrize(
    ("package", "attack"), [("torchaudio", "reembed.perth"), ("python_stretch", "time_stretch.1.1x")]
)
def test_a_run_ends_with_tables_and_one_failed_cell(
    broken_package: Broken, bench_copy: Callable[[str], Dataset], tmp_path: Path, package: str, attack: str
) -> None:
    out = tmp_path / "out"
    done = sealproof(
        broken_package(package),
        "run",
        bench_copy("data").root,
        "--attacks",
        f"identity,{attack},gain.6db",
        "--out",
        out,
    )
    assert done.returncode == 1, done.stderr
    assert "1 of 3 cells failed" in done.stderr
    assert "Traceback" not in done.stderr
    found = failures(out)
    assert list(found) == [attack.partition(".")[0]]
    (reason,) = found.values()
    assert f"OSError: lib{package}.so: undefined symbol: nothing" in reason
    assert reason.startswith(f"AttackError: {attack} failed: ")
    assert done.stdout.splitlines()[-1].startswith(
        f"Wrote {out / 'report.html'}: `spread_spectrum` judges at least 90 %"
    )


def test_a_preset_leaves_out_what_a_broken_library_takes_along(broken_package: Broken) -> None:
    code = (
        "from sealproof.attacks.selection import left_out, load_attacks\n"
        "print(*{attack.name for attack in load_attacks('fast')})\n"
        "print(left_out('fast')['opus'])"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=broken_package("av"))
    names, reason = done.stdout.splitlines()
    assert {"identity", "gain", "white_noise"} <= set(names.split())
    assert "opus" not in names.split()
    assert reason == (
        "PyAV cannot be imported (OSError: libav.so: undefined symbol: nothing): pip install --force-reinstall av"
    )


def test_a_command_whose_package_is_broken_ends_in_one_line(
    broken_package: Broken, bench_copy: Callable[[str], Dataset], tmp_path: Path
) -> None:
    root = bench_copy("data").root
    for package, command in (
        ("tensorflow", ["train", root, "--mimic", "seed_cnn"]),
        ("pandas", ["report", root]),
        (
            "audioseal",
            ["build", "--corpus", "demo", "--clips", "8", "--scheme", "audioseal_mini", "--out", tmp_path / "x"],
        ),
    ):
        done = sealproof(broken_package(package), *command)
        assert done.returncode == 2, (package, done.stderr)
        last = done.stderr.splitlines()[-1]
        assert last.startswith("sealproof: "), (package, done.stderr)
        assert "Traceback" not in done.stderr
        if package != "pandas":  # of which `report` needs nothing where there is no run
            assert f"OSError: lib{package}.so: undefined symbol: nothing" in last
            assert last.endswith("Run: sealproof doctor")


SOME = """
import sys
from sealproof.harness.cli.main import main
from sealproof.harness.studies.readiness import checks
every = checks.all_checks()
checks.all_checks = lambda: [check for check in every if check.name in sys.argv[1:]]
sys.exit(main(["doctor"]))
"""


def test_doctor_names_what_is_broken_and_what_mends_it(broken_package: Broken) -> None:
    names = ["torchaudio", "spread_spectrum", "perth", "reembed", "gain"]
    command = [sys.executable, "-c", SOME, *names]
    environment = broken_package("torchaudio")
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1, done.stderr
    reason = (
        "BROKEN: OSError: libtorchaudio.so: undefined symbol: nothing. Run: pip install --force-reinstall --no-deps"
    )
    lines = [re.sub(" 'torchaudio==[0-9.]+'", "", line) for line in done.stdout.splitlines()]
    assert lines[2:5] == ["packages   0 of 1 ready", f"           torchaudio: {reason}", f"scheme     perth: {reason}"]
    assert lines[5].startswith("scheme     spread_spectrum: ready: ")
    assert lines[6:] == [
        "attacks    1 of 2 ready",
        f"           reembed: {reason}",
        "3 of 5 things do not work here and should: torchaudio, reembed, perth.",
    ]
