"""`sealproof weights`: what is here, where it comes from, and that nothing else is taken for it."""

import hashlib
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest

from sealproof.detectors.audioseal.net_file import Kind, Net, write_net
from sealproof.detectors.audioseal.nets import build_net, load_net, published_config
from sealproof.detectors.audioseal.store import KINDS, PUBLISHED, WEIGHTS_VARIABLE, CustomWeights, PublishedWeights
from sealproof.detectors.base import DetectorError
from sealproof.harness.cli import weights
from sealproof.harness.cli.main import main
from sealproof.harness.training.schemes.recipe import NetShape, load_recipe

pytestmark = pytest.mark.usefixtures("one_torch_thread")

Refuse = Callable[..., str]
Say = Callable[..., list[str]]

SMALL = replace(
    load_recipe("mini"),
    net=NetShape(n_filters=2, dimension=20, ratios=(8, 5, 4, 2), generator_lstm=0, detector_lstm=1, message_bits=16),
)


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for weights, not there yet."""
    folder = tmp_path / "store"
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(folder))
    return folder


@pytest.fixture(autouse=True)
def network(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that were asked for; none can be reached."""
    asked: list[str] = []

    def refuse(url: str, timeout: float) -> None:
        del timeout
        asked.append(url)
        raise URLError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    return asked


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """say(*arguments): run `sealproof weights`, which must succeed, and return its lines."""

    def run(*arguments: object) -> list[str]:
        assert main(["weights", *map(str, arguments)]) == 0
        captured = capsys.readouterr()
        assert captured.err == ""
        return captured.out.splitlines()

    return run


@pytest.fixture
def refuse(capsys: pytest.CaptureFixture[str]) -> Refuse:
    """refuse(*arguments): run `sealproof weights`, which must refuse, and return its one line."""

    def run(*arguments: object) -> str:
        assert main(["weights", *map(str, arguments)]) == 2
        captured = capsys.readouterr()
        assert re.fullmatch(r"sealproof: [^\n]+\n", captured.err), captured.err
        return captured.err.removeprefix("sealproof: ").removesuffix("\n")

    return run


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def contents(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} if folder.exists() else set()


# --- The scheme of one's own, small ---


def small_net(kind: Kind) -> Net:
    config = SMALL.net_config(kind)
    return Net(kind, config, build_net(kind, config).state_dict(), "a test")


@pytest.fixture(scope="module")
def own_pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small generator as a checkpoint and a small detector as safetensors; nobody writes into it."""
    import torch

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("own")
    generator = small_net("generator")
    torch.save({"xp.cfg": dict(generator.config), "model": dict(generator.tensors)}, folder / "tuned.pth")
    write_net(folder / "tuned.safetensors", small_net("detector"))
    (folder / "notes.txt").write_text("not a network")
    return folder


def test_status_with_nothing_here(store: Path, say: Say, network: list[str]) -> None:
    lines = say("status")
    assert lines[0].split() == ["folder", str(store)]
    assert [line.split()[:2] for line in lines[1:]] == [
        [scheme, kind] for scheme in ("audioseal", "audioseal_custom", "audioseal_mini") for kind in KINDS
    ]
    assert all(line.endswith("missing: sealproof weights fetch, or import PATH") for line in lines[1:3])
    assert all(line.endswith(" none") for line in lines[3:5])
    assert all(re.search(r" ships with sealproof, SHA-256 [0-9a-f]{64}$", line) for line in lines[5:])
    assert network == []
    assert not store.exists()


def test_a_pair_of_ones_own_is_imported_with_trust(store: Path, own_pair: Path, say: Say) -> None:
    generator, detector, note = say("import", own_pair, "--trust")
    assert generator == f"generator: {store / 'custom/generator.safetensors'}, from {own_pair / 'tuned.pth'}"
    assert detector == f"detector: {store / 'custom/detector.safetensors'}, from {own_pair / 'tuned.safetensors'}"
    assert "audioseal_custom" in note
    assert contents(store) == {f"custom/{kind}.{suffix}" for kind in KINDS for suffix in ("json", "safetensors")}
    lines = say("status")
    for line, kind, name in zip(lines[3:5], KINDS, ("tuned.pth", "tuned.safetensors"), strict=True):
        path, source = store / "custom" / f"{kind}.safetensors", own_pair / name
        assert line == f"audioseal_custom  {kind:10} {path}, from {name} (SHA-256 {sha256(source)})"
    assert all("missing" in line for line in lines[1:3]), "it must not pass for the published scheme"


def test_files_are_imported_by_name_too(store: Path, own_pair: Path, say: Say) -> None:
    assert len(say("import", "--trust", own_pair / "tuned.safetensors", own_pair / "tuned.pth")) == 3
    assert CustomWeights().record("detector") is not None


def test_ones_own_pair_without_trust_is_told_what_to_do(store: Path, own_pair: Path, refuse: Refuse) -> None:
    for path in (own_pair, own_pair / "tuned.pth"):
        message = refuse("import", path)
        assert message.startswith(f"{path} must be or hold generator_base.pth (SHA-256 ")
        assert all(file.sha256 in message for file in PUBLISHED.values())
        assert "say --trust: it becomes the scheme audioseal_custom" in message
    assert not store.exists()


@pytest.mark.parametrize("trust", [[], ["--trust"]])
def test_a_path_that_is_not_there(tmp_path: Path, trust: list[str], refuse: Refuse) -> None:
    message = refuse("import", tmp_path / "nowhere.pth", *trust)
    assert message.startswith(f"The checkpoint {tmp_path / 'nowhere.pth'} must be readable: ")
    assert "No such file" in message


def test_two_generators_are_refused_and_nothing_is_kept(store: Path, own_pair: Path, refuse: Refuse) -> None:
    generator = own_pair / "tuned.pth"
    assert refuse("import", generator, generator, "--trust").startswith("One generator must be given. Got ")
    assert not store.exists()


@pytest.mark.parametrize("content", [b"<!DOCTYPE html>", b"PK\x03\x04 cut short", b"", b"hello", b"\x80"])
def test_a_file_that_is_no_checkpoint_is_refused(content: bytes, store: Path, tmp_path: Path, refuse: Refuse) -> None:
    path = tmp_path / "page.pth"
    path.write_bytes(content)
    assert refuse("import", path, "--trust").startswith(f"The checkpoint {path} must load with weights_only=True, ")
    assert not store.exists()


def test_an_empty_folder_is_refused_with_trust_too(tmp_path: Path, refuse: Refuse) -> None:
    (tmp_path / "empty").mkdir()
    assert str(tmp_path / "empty") in refuse("import", tmp_path / "empty", "--trust")


# --- Verification ---


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A world in which a small scheme ships."""
    monkeypatch.setattr(weights, "shipped_net", small_net)


@pytest.mark.usefixtures("shipped")
def test_verify_with_nothing_here(store: Path, say: Say, network: list[str]) -> None:
    lines = say("verify")
    assert [line.split(maxsplit=2) for line in lines] == [
        [scheme, kind, state]
        for scheme, state in (
            ("audioseal", "not here"),
            ("audioseal_custom", "none"),
            ("audioseal_mini", "as shipped"),
        )
        for kind in KINDS
    ]
    assert network == []
    assert not store.exists()


@pytest.mark.usefixtures("shipped")
def test_verify_finds_damaged_tensors_of_ones_own(store: Path, own_pair: Path, say: Say, refuse: Refuse) -> None:
    say("import", own_pair, "--trust")
    path = store / "custom/detector.safetensors"
    assert say("verify")[3] == f"audioseal_custom  detector   as imported: {path}"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    message = refuse("verify")
    assert message.startswith(f"The checkpoint {path} must have SHA-256 ")
    assert "It was not opened" in message


def test_verify_finds_a_damaged_pair_that_ships(monkeypatch: pytest.MonkeyPatch, refuse: Refuse) -> None:
    def damaged(kind: Kind) -> Net:
        raise DetectorError(f"The checkpoint {kind}.safetensors must have SHA-256 0000.")

    monkeypatch.setattr(weights, "shipped_net", damaged)
    assert refuse("verify") == "The checkpoint generator.safetensors must have SHA-256 0000."


@pytest.mark.usefixtures("shipped")
@pytest.mark.parametrize("content", ["[]", "{", '{"source": "x"}'])
def test_a_damaged_record_is_said(store: Path, own_pair: Path, content: str, say: Say, refuse: Refuse) -> None:
    say("import", own_pair, "--trust")
    (store / "custom/detector.json").write_text(content)
    for action in ("status", "verify"):
        assert "must be a record of sealproof's" in refuse(action)
    say("import", own_pair, "--trust")
    assert len(say("verify")) == 6


# --- The published scheme, at its real size ---


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with checkpoints of the published architecture, but random weights; nobody writes into it."""
    import torch

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("published")
    for kind in KINDS:
        config = published_config(kind)
        config["seanet"]["norm"] = "none"
        model = build_net(kind, config).state_dict()
        torch.save({"xp.cfg": {"seanet": config["seanet"]}, "model": model}, folder / PUBLISHED[kind].file_name)
    return folder


@pytest.fixture
def published(checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Those files, in a world where they are the published ones."""
    for kind, file in PUBLISHED.items():
        monkeypatch.setitem(PUBLISHED, kind, replace(file, sha256=sha256(checkpoints / file.file_name)))
    return checkpoints


@pytest.mark.usefixtures("shipped")
def test_published_files_are_known_by_their_hash_and_converted(
    published: Path, store: Path, tmp_path: Path, say: Say, refuse: Refuse
) -> None:
    brought = tmp_path / "brought"
    brought.mkdir()
    renamed = brought / "some name.pt"
    renamed.symlink_to(published / "generator_base.pth")
    (brought / "94c8df0b1d5ea8e45af4c884").symlink_to(published / "detector_base.pth")
    (brought / "another.pth").write_bytes(b"not one of them")
    lines = say("import", brought)
    converted = {kind: store / f"{kind}_base.safetensors" for kind in KINDS}
    assert set(lines) == {
        f"generator: {converted['generator']}, from {renamed}",
        f"detector: {converted['detector']}, from {brought / '94c8df0b1d5ea8e45af4c884'}",
    }
    assert contents(store) == {f"{kind}_base.{suffix}" for kind in KINDS for suffix in ("json", "safetensors")}
    assert json.loads((store / "generator_base.json").read_text())["source_sha256"] == PUBLISHED["generator"].sha256
    assert [line.split(maxsplit=2)[2] for line in say("status")[1:3]] == [str(path) for path in converted.values()]
    assert say("verify")[1] == f"audioseal         detector   as published: {converted['detector']}"
    assert say("fetch") == [f"{kind}: {path}" for kind, path in converted.items()], "nothing was to be fetched"
    path = converted["detector"]
    path.write_bytes(path.read_bytes()[:-1] + b"\0\1")
    assert f"The checkpoint {path} must have SHA-256 " in refuse("verify")


def test_a_checkpoint_that_lies_in_the_folder_is_not_converted_yet(published: Path, store: Path, say: Say) -> None:
    store.mkdir()
    (store / "detector_base.pth").symlink_to(published / "detector_base.pth")
    assert say("status")[2].endswith(f"{store / 'detector_base.pth'}, not converted yet")


def test_status_does_not_open_what_it_names(store: Path, say: Say) -> None:
    store.mkdir()
    (store / "detector_base.pth").write_bytes(b"anything")
    assert say("status")[2].endswith("detector_base.pth, not converted yet")


def test_verify_refuses_a_file_of_the_published_name_only(store: Path, refuse: Refuse) -> None:
    store.mkdir()
    (store / "generator_base.pth").write_bytes(b"anything")
    assert f"must have SHA-256 {PUBLISHED['generator'].sha256}" in refuse("verify")


def test_fetch_without_a_network_says_what_to_do_and_leaves_nothing(
    store: Path, refuse: Refuse, network: list[str]
) -> None:
    message = refuse("fetch")
    assert "no route to host" in message
    for part in (PUBLISHED["generator"].sha256, "sealproof weights import FOLDER", WEIGHTS_VARIABLE, str(store)):
        assert part in message
    assert network == [PUBLISHED["generator"].url]
    assert contents(store) == set()


def test_fetch_keeps_what_has_the_hash_and_throws_the_rest_away(
    published: Path, store: Path, say: Say, refuse: Refuse, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {"detector_base.pth": b"<!DOCTYPE html>"}

    def serve(url: str, timeout: float) -> Any:
        del timeout
        name = url.rsplit("/", 1)[1]
        return io.BytesIO(wrong.get(name) or (published / name).read_bytes())

    monkeypatch.setattr("urllib.request.urlopen", serve)
    assert f"must have SHA-256 {PUBLISHED['detector'].sha256}" in refuse("fetch")
    assert contents(store) == {"generator_base.json", "generator_base.safetensors"}
    wrong.clear()
    assert len(say("fetch")) == 2
    load_net(PublishedWeights().load("detector"))
