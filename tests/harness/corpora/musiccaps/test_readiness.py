"""What is missing is said with what to install, before a download is tried."""

import datetime
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from typing import Any

import pytest

from sealproof.harness.corpora.musiccaps.youtube import readiness
from sealproof.harness.foundation.errors import HarnessError

TODAY = datetime.datetime.now(datetime.UTC).date()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """machine(versions, runtimes): what is installed."""

    def set_up(versions: dict[str, str], runtimes: dict[str, str]) -> None:
        def version(package: str) -> str:
            if package not in versions:
                raise PackageNotFoundError(package)
            return versions[package]

        def found(wanted: dict[str, Any] | None = None) -> dict[str, str]:
            return {name: runtimes[name] for name in (wanted or runtimes) if name in runtimes}

        monkeypatch.setattr(readiness, "version", version)
        monkeypatch.setattr(readiness, "_runtimes", found)

    return set_up


def told() -> str:
    return "\n".join(f"{need.name}: {need.state}" for need in readiness.fetch_requirements())


ALL = {"yt-dlp": f"{TODAY:%Y.%m.%d}", "yt-dlp-ejs": "0.8.0"}


def test_a_machine_with_all_of_it(machine: Any) -> None:
    machine(ALL, {"deno": "2.9.8"})
    assert readiness.missing_tool() is None
    assert all(need.is_here and not need.is_broken for need in readiness.fetch_requirements())
    assert "deno 2.9.8" in told()
    assert "days old" not in told()


@pytest.mark.parametrize("package", ["yt-dlp", "yt-dlp-ejs"])
def test_a_machine_without_a_package(package: str, machine: Any) -> None:
    machine({name: version for name, version in ALL.items() if name != package}, {"deno": "2.9.8"})
    for text in (readiness.missing_tool() or "", told()):
        assert package in text
        assert 'pip install "sealproof[musiccaps]"' in text


def test_a_machine_without_a_runtime(machine: Any) -> None:
    machine(ALL, {})
    for text in (readiness.missing_tool() or "", told()):
        assert "JavaScript runtime" in text
        assert 'pip install "sealproof[musiccaps]" brings deno' in text
    assert readiness.missing_tool("none") is None


def test_a_runtime_that_must_be_named(machine: Any) -> None:
    machine(ALL, {"node": "22.1.0"})
    assert "--js-runtime node (22.1.0 is here)" in (readiness.missing_tool() or "")
    assert "--js-runtime node" in told()
    assert readiness.missing_tool("node") is None
    with pytest.raises(HarnessError, match="--js-runtime must be one of deno, node, quickjs, bun"):
        readiness.missing_tool("java")


def test_an_old_yt_dlp_is_told(machine: Any) -> None:
    old = TODAY - datetime.timedelta(days=100)
    machine({**ALL, "yt-dlp": f"{old:%Y.%m.%d}"}, {"deno": "2.9.8"})
    assert "100 days old: pip install --upgrade yt-dlp" in told()
    assert readiness.missing_tool() is None


def test_an_ffmpeg_without_a_decoder(machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import av

    machine(ALL, {"deno": "2.9.8"})

    def codec(name: str, _mode: str) -> object:
        if name == "opus":
            raise ValueError(name)
        return name

    monkeypatch.setattr(av, "Codec", codec)
    assert "lacks opus" in (readiness.missing_tool() or "")
    assert "lacks opus" in told()


def test_the_runtimes_of_this_machine_are_those_that_yt_dlp_would_use() -> None:
    from yt_dlp import YoutubeDL

    names = ("deno", "node", "quickjs", "bun")
    with YoutubeDL({"quiet": True, "js_runtimes": {name: {} for name in names}}) as session:
        known = session._js_runtimes.items()
        usable = {name: runtime.info.version for name, runtime in known if runtime.info and runtime.info.supported}
    assert readiness._runtimes() == usable


def test_this_machine_is_described() -> None:
    here = {need.name for need in readiness.fetch_requirements() if need.is_here}
    assert here >= {"yt-dlp", "decoding"}


def test_a_part_that_is_installed_and_broken_is_named(broken_package: Callable[..., dict[str, str]]) -> None:
    module = "sealproof.harness.corpora.musiccaps.youtube.readiness"
    code = f"from {module} import fetch_requirements\nfor need in fetch_requirements():\n    print(need)"
    for package, distribution in (("yt_dlp", "yt-dlp"), ("av", "av")):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=broken_package(package)
        )
        assert done.stdout.count("is_broken=True") == 1
        assert (
            f"(OSError: lib{package}.so: undefined symbol: nothing): pip install --force-reinstall {distribution}"
            in (done.stdout)
        )
