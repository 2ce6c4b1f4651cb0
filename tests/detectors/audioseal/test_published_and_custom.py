import errno
import hashlib
import io
import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Event, Thread
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest

from sealproof.detectors import Audio, DetectorError, UnavailableError, get_scheme
from sealproof.detectors.audioseal.nets import build_net, deepen_names, fold_weight_norm, published_config
from sealproof.detectors.audioseal.published import AudioSealScheme
from sealproof.detectors.audioseal.store import (
    HUB_REVISION,
    KINDS,
    PUBLISHED,
    WEIGHTS_VARIABLE,
    CustomWeights,
    PublishedWeights,
)
from sealproof.detectors.testing import check_scheme

NOTATIONS = ["weight_g weight_v", "parametrizations.weight.original0 parametrizations.weight.original1"]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def as_published(state: dict[str, Any]) -> dict[str, Any]:
    """Names of before 0.2.0, and every convolution weight as a weight-normalised pair."""
    import torch

    old = {}
    for name, tensor in state.items():
        if ".inner_conv.weight" in name:
            layer = name.replace(".inner_conv.weight", "")
            old[layer + ".weight_g"] = torch.linalg.vector_norm(tensor, dim=(1, 2), keepdim=True)
            old[layer + ".weight_v"] = 3.0 * tensor
        else:
            old[name.replace(".inner_conv.", ".")] = tensor
    return old


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with checkpoints of the published format and architecture, but random weights."""
    import torch
    from omegaconf import OmegaConf

    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(1)
    for kind in KINDS:
        config = published_config(kind)
        net = build_net(kind, config)
        # The published run keeps the last layers' settings inside `seanet`.
        parts = {name: config[name] for name in ("decoder", "detector") if name in config}
        seanet = OmegaConf.create({**config["seanet"], **parts})
        run = {"seanet": seanet, "channels": 1, "dtype": "float32", "sample_rate": 16_000}
        torch.save({"xp.cfg": run, "model": as_published(net.state_dict())}, folder / PUBLISHED[kind].file_name)
    return folder


@pytest.fixture
def published(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of those files, in a world where they are the published ones."""
    copy = tmp_path / "published"
    copy.mkdir()
    for kind, file in PUBLISHED.items():
        content = (folder / file.file_name).read_bytes()
        (copy / file.file_name).write_bytes(content)
        monkeypatch.setitem(PUBLISHED, kind, replace(file, sha256=hashlib.sha256(content).hexdigest()))
    return copy


@pytest.fixture
def scheme(published: Path) -> AudioSealScheme:
    return AudioSealScheme(weights_dir=published)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Counts attempts to reach the network; every one fails."""
    attempts = []

    def refuse(url: str, timeout: float) -> None:
        attempts.append(url)
        raise URLError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    return attempts


def test_scheme_with_random_weights_keeps_the_contract(scheme: AudioSealScheme) -> None:
    check_scheme(scheme)


def packages_own(folder: Path) -> tuple[Any, Any]:
    from audioseal import AudioSeal

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return (
            AudioSeal.load_generator(str(folder / PUBLISHED["generator"].file_name), nbits=16),
            AudioSeal.load_detector(str(folder / PUBLISHED["detector"].file_name), nbits=16),
        )


@pytest.mark.parametrize("n", [1, 8])
def test_outputs_are_bit_for_bit_those_of_the_packages_own_loader(
    published: Path, music: Callable[..., Audio], n: int
) -> None:
    """From the checkpoint and, once converted, from safetensors."""
    import torch

    from sealproof.detectors.audioseal.nets import load_net, uncompiled

    batch = torch.from_numpy(music(n, samples=16_000)[:, None])
    message = torch.from_numpy(np.random.default_rng(0).integers(0, 2, (n, 16)))
    weights = PublishedWeights(published)
    generator, detector = packages_own(published)
    for kind in KINDS:
        from_checkpoint = load_net(weights.load(kind))
        weights.take(published / PUBLISHED[kind].file_name, kind)
        assert str(weights.find(kind)).endswith(".safetensors")
        with torch.no_grad(), uncompiled():
            for ours in (from_checkpoint, load_net(weights.load(kind))):
                if kind == "generator":
                    assert torch.equal(ours(batch, message=message), generator(batch, message=message))
                else:
                    assert all(torch.equal(*pair) for pair in zip(ours(batch), detector(batch), strict=True))


@pytest.mark.parametrize("samples", [320, 3519, 16_000])
def test_detection_is_that_of_the_package(
    scheme: AudioSealScheme, published: Path, music: Callable[..., Audio], samples: int
) -> None:
    """Ours takes another way through the last layers."""
    import torch

    from sealproof.detectors.audioseal.nets import uncompiled

    clips = music(9, samples=samples)
    detector = packages_own(published)[1]
    with torch.no_grad(), uncompiled():
        score, _ = detector.detect_watermark(torch.from_numpy(clips[:, None]))
        frames, bits = detector(torch.from_numpy(clips[:, None]))
    found = scheme.detector.detect(clips)
    assert found.frames is not None
    assert found.bits is not None
    np.testing.assert_allclose(found.frames, frames[:, 1].numpy(), atol=1e-5)
    np.testing.assert_allclose(found.score, score.numpy(), atol=1e-3)
    sure = (bits - 0.5).abs().numpy() > 1e-5
    np.testing.assert_array_equal(found.bits[sure], (bits > 0.5).numpy()[sure])
    assert sure.mean() > 0.9


def test_names_of_a_new_model_stay() -> None:
    new = {"encoder.model.0.conv.conv.inner_conv.weight": 0, "encoder.model.13.lstm.weight_ih_l0": 1}
    assert deepen_names(new) == new
    assert deepen_names({"a.convtr.convtr.weight_g": 0, "a.conv.conv.parametrizations.weight.original0": 1}) == {
        "a.convtr.convtr.inner_conv.weight_g": 0,
        "a.conv.conv.inner_conv.parametrizations.weight.original0": 1,
    }


@pytest.mark.parametrize("names", NOTATIONS)
def test_weight_norm_is_folded_as_torch_folds_it(names: str) -> None:
    import torch

    torch.manual_seed(0)
    conv = torch.nn.utils.parametrizations.weight_norm(torch.nn.Conv1d(3, 4, 5))
    g, v = conv.parametrizations.weight.original0, conv.parametrizations.weight.original1
    with torch.no_grad():
        g.mul_(1.7)
    g_name, v_name = names.split()
    folded = fold_weight_norm({f"x.{g_name}": g.data, f"x.{v_name}": v.data, "x.bias": conv.bias.data})
    assert set(folded) == {"x.weight", "x.bias"}
    torch.testing.assert_close(folded["x.weight"], conv.weight.detach(), rtol=0, atol=1e-6)


def test_other_weights_than_the_published_are_refused(folder: Path) -> None:
    scheme = get_scheme("audioseal", weights_dir=folder)
    with pytest.raises(DetectorError, match=f"must have SHA-256 {PUBLISHED['detector'].sha256}.*It was not opened"):
        _ = scheme.detector


def test_a_truncated_file_is_refused(published: Path) -> None:
    whole = published / PUBLISHED["detector"].file_name
    whole.write_bytes(whole.read_bytes()[:-1000])
    with pytest.raises(DetectorError, match=f"must have SHA-256 {PUBLISHED['detector'].sha256}"):
        _ = get_scheme("audioseal", weights_dir=published).detector
    with pytest.raises(DetectorError, match="must load with weights_only=True"):
        CustomWeights(published).take([whole])
    assert not (published / "custom").exists()


class Malicious:
    def __init__(self, victim: str) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (self.victim,)


@pytest.mark.parametrize("trusted", [False, True])
def test_code_in_a_checkpoint_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool) -> None:
    """Even where its hash is the expected one, and even where the user says --trust."""
    import torch

    bad = tmp_path / PUBLISHED["detector"].file_name
    victim = tmp_path / "it_ran"
    torch.save({"model": {}, "xp.cfg": Malicious(str(victim))}, bad)
    monkeypatch.setitem(PUBLISHED, "detector", replace(PUBLISHED["detector"], sha256=sha256(bad)))
    own, published = CustomWeights(tmp_path), PublishedWeights(tmp_path)
    with pytest.raises(DetectorError, match="must load with weights_only=True"):
        _ = own.take([bad]) if trusted else published.load("detector")
    assert not victim.exists()
    torch.load(bad, weights_only=False)
    assert victim.exists(), "the file was harmless, the test proved nothing"


def test_a_checkpoint_of_another_network_is_refused(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = published / PUBLISHED["generator"].file_name
    (published / PUBLISHED["detector"].file_name).write_bytes(generator.read_bytes())
    monkeypatch.setitem(PUBLISHED, "detector", replace(PUBLISHED["detector"], sha256=sha256(generator)))
    with pytest.raises(DetectorError, match="must hold the weights of a detector"):
        _ = get_scheme("audioseal", weights_dir=published).detector


def test_without_weights_it_says_what_to_do_and_stays_off_the_network(tmp_path: Path, network: list[Any]) -> None:
    reason = get_scheme("audioseal", weights_dir=tmp_path).unavailable() or ""
    for file in PUBLISHED.values():
        assert file.url in reason
        assert file.sha256 in reason
        assert HUB_REVISION in file.url
    for part in (str(tmp_path), WEIGHTS_VARIABLE, "sealproof weights fetch", "sealproof weights import"):
        assert part in reason
    assert network == []


def test_without_weights_and_network_it_says_what_to_do_and_leaves_nothing(tmp_path: Path, network: list[Any]) -> None:
    target = tmp_path / "cache"
    with pytest.raises(UnavailableError, match="no route to host") as error:
        get_scheme("audioseal", weights_dir=target).prepare()
    assert PUBLISHED["generator"].sha256 in str(error.value)
    assert network == [PUBLISHED["generator"].url]
    assert list(target.iterdir()) == []


def serve(monkeypatch: pytest.MonkeyPatch, folder: Path, cut: int | None = None) -> list[str]:
    """A hub that has the files of a folder; what it sends can be cut short."""
    asked: list[str] = []

    def answer(url: str, timeout: float) -> io.BytesIO:
        asked.append(url)
        return io.BytesIO((folder / url.rsplit("/", 1)[1]).read_bytes()[:cut])

    monkeypatch.setattr("urllib.request.urlopen", answer)
    return asked


def test_what_is_missing_is_downloaded_once_and_kept_as_plain_tensors(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, music: Callable[..., Audio]
) -> None:
    target = tmp_path / "cache"
    asked = serve(monkeypatch, published)
    scheme = get_scheme("audioseal", weights_dir=target)
    assert scheme.unavailable() is not None
    scheme.prepare()
    scheme.prepare()
    assert asked == [PUBLISHED[kind].url for kind in KINDS]
    assert sorted(path.suffix for path in target.iterdir()) == [".json", ".json", ".safetensors", ".safetensors"]
    assert scheme.unavailable() is None
    clips = music(1, samples=3200)
    np.testing.assert_array_equal(
        scheme.detector.detect(clips).frames,
        get_scheme("audioseal", weights_dir=published).detector.detect(clips).frames,
    )


@pytest.mark.parametrize("cut", [1000, -1])
def test_a_wrong_download_is_thrown_away(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    serve(monkeypatch, published, cut)
    target = tmp_path / "cache"
    with pytest.raises(DetectorError, match=f"must have SHA-256 {PUBLISHED['generator'].sha256}"):
        get_scheme("audioseal", weights_dir=target).prepare()
    assert list(target.iterdir()) == []


def test_a_full_disk_is_said_and_nothing_is_left(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(monkeypatch, published)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    target = tmp_path / "cache"
    with pytest.raises(UnavailableError, match="No space left on device"):
        get_scheme("audioseal", weights_dir=target).prepare()
    assert list(target.iterdir()) == []


def test_a_record_without_its_weights_or_of_others_is_not_believed(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = PublishedWeights(published)
    weights.fetch("detector")
    for kind in KINDS:
        (published / PUBLISHED[kind].file_name).unlink()
    monkeypatch.setitem(PUBLISHED, "detector", replace(PUBLISHED["detector"], sha256="0" * 64))
    with pytest.raises(DetectorError, match=r"must come from detector_base\.pth with SHA-256 0000"):
        weights.load("detector")
    weights.converted.path("detector").unlink()
    assert weights.find("detector") is None
    with pytest.raises(UnavailableError, match="sealproof weights fetch"):
        weights.load("detector")


def test_damaged_tensors_are_refused(published: Path) -> None:
    weights = PublishedWeights(published)
    path = weights.fetch("detector")
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    for read in (weights.load, weights.check):
        with pytest.raises(DetectorError, match="It was not opened"):
            read("detector")
    (published / "detector_base.json").write_text("[]")
    with pytest.raises(DetectorError, match="must be a record of sealproof's"):
        weights.load("detector")


def test_verify_compares_the_tensors_with_the_checkpoint_they_came_from(published: Path) -> None:
    import torch

    weights = PublishedWeights(published)
    weights.fetch("generator")
    assert weights.check("generator") == weights.converted.path("generator")
    net = weights.load("generator")
    name = next(iter(net.tensors))
    forged = replace(net, tensors={**net.tensors, name: torch.zeros_like(net.tensors[name])})
    original = weights.original("generator")
    assert original is not None
    weights.converted.store(forged, original, PUBLISHED["generator"].sha256)
    with pytest.raises(DetectorError, match="must hold the tensors of"):
        weights.check("generator")


def test_the_folder_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (WEIGHTS_VARIABLE, "AUDIOSEAL_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    for variable, folder in (
        ("XDG_CACHE_HOME", tmp_path / "xdg" / "audioseal"),
        ("AUDIOSEAL_CACHE_DIR", tmp_path / "cache" / "audioseal"),
        (WEIGHTS_VARIABLE, tmp_path / "own"),
    ):
        monkeypatch.setenv(variable, str(folder if variable == WEIGHTS_VARIABLE else folder.parent))
        assert f"not in {folder}. " in (get_scheme("audioseal").unavailable() or "")
        folder.mkdir(parents=True)
        (folder / PUBLISHED["generator"].cached_name).touch()
        (folder / PUBLISHED["detector"].file_name).touch()
        assert get_scheme("audioseal").unavailable() is None


def test_version_names_package_and_both_weights(scheme: AudioSealScheme) -> None:
    for file in PUBLISHED.values():
        assert file.sha256[:12] in scheme.version


def test_a_pair_of_ones_own_is_a_scheme_of_its_own(folder: Path, tmp_path: Path, music: Callable[..., Audio]) -> None:
    """It is the checkpoint's own architecture that is built, here another message length than the published one."""
    import torch

    torch.manual_seed(3)
    own = tmp_path / "own"
    own.mkdir()
    for kind in KINDS:
        config = published_config(kind)
        config["nbits"] = 8
        config["seanet"] |= {"n_filters": 4, "dimension": 32, "lstm": 0}
        torch.save({"xp.cfg": config, "model": build_net(kind, config).state_dict()}, own / f"tuned-{kind}.pth")
    scheme = get_scheme("audioseal_custom", weights_dir=tmp_path)
    assert "sealproof weights import" in (scheme.unavailable() or "")
    with pytest.raises(UnavailableError, match="generator and detector of your own scheme"):
        _ = scheme.version
    taken = CustomWeights(tmp_path).take(sorted(own.iterdir()))
    assert {kind: path.name for kind, path in taken.items()} == {kind: f"tuned-{kind}.pth" for kind in KINDS}
    assert scheme.unavailable() is None
    assert "custom" in scheme.version
    check_scheme(scheme)
    assert scheme.watermarker.message_bits == 8
    assert get_scheme("audioseal", weights_dir=tmp_path).unavailable() is not None


def test_two_generators_are_no_pair(folder: Path, tmp_path: Path) -> None:
    generator = folder / PUBLISHED["generator"].file_name
    with pytest.raises(DetectorError, match="One generator must be given"):
        CustomWeights(tmp_path).take([generator, generator])
    assert list(tmp_path.iterdir()) == []


def test_a_safetensors_file_of_something_else_is_refused(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    other = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(2)}, other)
    for content in (other.read_bytes(), b"", b"x" * 100):
        other.write_bytes(content)
        with pytest.raises(DetectorError, match="must be a safetensors file of sealproof's"):
            CustomWeights(tmp_path).take([other])


def test_no_thread_compiles_while_another_leaves() -> None:
    from sealproof.detectors.audioseal.nets import import_audioseal, uncompiled

    import_audioseal()
    from audioseal.libs.moshi.utils import compile as switch

    inside, first_left, seen = Barrier(2), Event(), []

    def first() -> None:
        with uncompiled():
            inside.wait(600)
        first_left.set()

    def second() -> None:
        with uncompiled():
            inside.wait(600)
            assert first_left.wait(600)
            seen.append(switch._compile_disabled)

    threads = [Thread(target=target) for target in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True]
    assert switch._compile_disabled is False
