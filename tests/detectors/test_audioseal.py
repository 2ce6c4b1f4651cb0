import hashlib
import os
import warnings
from urllib.error import URLError

import numpy as np
import pytest

from sealproof.detectors import DetectorError, UnavailableError, get_scheme
from sealproof.detectors.audioseal import DETECTOR, GENERATOR, HUB_REVISION, WEIGHTS_VARIABLE
from sealproof.detectors.audioseal_nets import deepen_names, fold_weight_norm, import_audioseal
from sealproof.detectors.testing import check_scheme

CARDS = {GENERATOR.file_name: "audioseal_wm_16bits", DETECTOR.file_name: "audioseal_detector_16bits"}


NOTATIONS = ["weight_g weight_v", "parametrizations.weight.original0 parametrizations.weight.original1"]


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def build(card):
    import_audioseal()
    from audioseal import builder
    from audioseal.loader import AudioSeal, load_local_model_config
    from omegaconf import OmegaConf

    config = OmegaConf.to_container(load_local_model_config(card))
    del config["checkpoint"]
    if card == CARDS[GENERATOR.file_name]:
        return config, builder.create_generator(AudioSeal.parse_config(dict(config), builder.AudioSealWMConfig))
    return config, builder.create_detector(AudioSeal.parse_config(dict(config), builder.AudioSealDetectorConfig))


def as_published(state):
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
def folder(tmp_path_factory):
    """A folder with checkpoints of the published format and architecture, but random weights."""
    import torch
    from omegaconf import OmegaConf

    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(1)
    for file_name, card in CARDS.items():
        config, net = build(card)
        # The published run keeps the last layers' settings inside `seanet`.
        parts = {name: config[name] for name in ("decoder", "detector") if name in config}
        seanet = OmegaConf.create({**config["seanet"], **parts})
        run = {"seanet": seanet, "channels": 1, "dtype": "float32", "sample_rate": 16_000}
        torch.save({"xp.cfg": run, "model": as_published(net.state_dict())}, folder / file_name)
    return folder


@pytest.fixture(scope="module")
def trusting(folder):
    """Options that trust the random checkpoints."""
    return {
        "weights_dir": folder,
        "generator_sha256": sha256(folder / GENERATOR.file_name),
        "detector_sha256": sha256(folder / DETECTOR.file_name),
    }


@pytest.fixture(scope="module")
def scheme(trusting):
    return get_scheme("audioseal", **trusting)


@pytest.fixture
def network(monkeypatch):
    """Counts attempts to reach the network; every one fails."""
    attempts = []

    def refuse(url, timeout):
        attempts.append(url)
        raise URLError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    return attempts


def test_scheme_with_random_weights_keeps_the_contract(scheme):
    check_scheme(scheme)


def test_networks_are_those_of_the_packages_own_loader(scheme, folder, music):
    import torch
    from audioseal import AudioSeal

    clips = music(2, samples=8000)
    messages = np.random.default_rng(0).integers(0, 2, (2, 16), dtype=np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        generator = AudioSeal.load_generator(str(folder / GENERATOR.file_name), nbits=16)
        detector = AudioSeal.load_detector(str(folder / DETECTOR.file_name), nbits=16)
    from audioseal.libs.moshi.utils.compile import no_compile

    with torch.no_grad(), no_compile():
        batch = torch.from_numpy(clips[:, None])
        theirs = generator(batch, message=torch.from_numpy(messages.astype(np.int64)))[:, 0].numpy()
        probabilities = detector(batch)[0][:, 1].numpy()
        score, bits = detector.detect_watermark(batch)
    np.testing.assert_allclose(scheme.watermarker.embed(clips, messages), theirs, atol=1e-6)
    found = scheme.detector.detect(clips)
    np.testing.assert_allclose(found.frames, probabilities, atol=1e-6)
    np.testing.assert_allclose(found.score, score.numpy(), atol=1e-3)
    np.testing.assert_array_equal(found.bits, bits.numpy())


def test_names_of_a_new_model_stay():
    new = {"encoder.model.0.conv.conv.inner_conv.weight": 0, "encoder.model.13.lstm.weight_ih_l0": 1}
    assert deepen_names(new) == new
    assert deepen_names({"a.convtr.convtr.weight_g": 0, "a.conv.conv.parametrizations.weight.original0": 1}) == {
        "a.convtr.convtr.inner_conv.weight_g": 0,
        "a.conv.conv.inner_conv.parametrizations.weight.original0": 1,
    }


@pytest.mark.parametrize("names", NOTATIONS)
def test_weight_norm_is_folded_as_torch_folds_it(names):
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


def test_other_weights_than_the_published_are_refused(folder):
    scheme = get_scheme("audioseal", weights_dir=folder)
    with pytest.raises(DetectorError, match=f"must have SHA-256 {DETECTOR.sha256}.*It was not opened"):
        _ = scheme.detector


def test_a_truncated_file_is_refused(trusting, tmp_path):
    whole = (trusting["weights_dir"] / DETECTOR.file_name).read_bytes()
    cut = tmp_path / DETECTOR.file_name
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DetectorError, match=f"must have SHA-256 {trusting['detector_sha256']}"):
        _ = get_scheme("audioseal", **{**trusting, "weights_dir": tmp_path}).detector
    with pytest.raises(DetectorError, match="must load with weights_only=True"):
        _ = get_scheme("audioseal", weights_dir=tmp_path, detector_sha256=sha256(cut)).detector


class Malicious:
    def __init__(self, victim):
        self.victim = victim

    def __reduce__(self):
        return os.mkdir, (self.victim,)


def test_code_in_a_checkpoint_does_not_run(tmp_path):
    """Even where the user vouches for the file by its hash."""
    import torch

    bad = tmp_path / DETECTOR.file_name
    victim = tmp_path / "it_ran"
    torch.save({"model": {}, "xp.cfg": Malicious(str(victim))}, bad)
    with pytest.raises(DetectorError, match="must load with weights_only=True"):
        _ = get_scheme("audioseal", weights_dir=tmp_path, detector_sha256=sha256(bad)).detector
    assert not victim.exists()
    torch.load(bad, weights_only=False)
    assert victim.exists(), "the file was harmless, the test proved nothing"


def test_a_checkpoint_of_another_network_is_refused(trusting, tmp_path):
    (tmp_path / DETECTOR.file_name).write_bytes((trusting["weights_dir"] / GENERATOR.file_name).read_bytes())
    options = {"weights_dir": tmp_path, "detector_sha256": trusting["generator_sha256"]}
    with pytest.raises(DetectorError, match="must hold the weights of audioseal_detector_16bits"):
        _ = get_scheme("audioseal", **options).detector


def test_without_weights_it_says_what_to_do_and_stays_off_the_network(tmp_path, network):
    reason = get_scheme("audioseal", weights_dir=tmp_path).unavailable()
    for part in (GENERATOR.url, GENERATOR.sha256, DETECTOR.url, DETECTOR.sha256, str(tmp_path), WEIGHTS_VARIABLE):
        assert part in (reason or "")
    assert HUB_REVISION in GENERATOR.url
    assert network == []


def test_without_weights_and_network_it_says_what_to_do_and_leaves_nothing(tmp_path, network):
    target = tmp_path / "cache"
    scheme = get_scheme("audioseal", weights_dir=target)
    with pytest.raises(UnavailableError, match="no route to host") as error:
        _ = scheme.detector
    assert DETECTOR.sha256 in str(error.value)
    assert network == [DETECTOR.url]
    assert list(target.iterdir()) == []


def test_what_is_missing_is_downloaded_once(trusting, tmp_path, monkeypatch):
    whole = trusting["weights_dir"] / DETECTOR.file_name
    monkeypatch.setattr("sealproof.detectors.audioseal.DETECTOR", DETECTOR._replace(sha256=sha256(whole)))
    monkeypatch.setattr("sealproof.detectors.audioseal.GENERATOR", GENERATOR._replace(sha256=sha256(whole)))
    asked = []

    def serve(url, timeout):
        asked.append(url)
        return whole.open("rb")

    monkeypatch.setattr("urllib.request.urlopen", serve)
    scheme = get_scheme(
        "audioseal", weights_dir=tmp_path, generator_sha256=sha256(whole), detector_sha256=sha256(whole)
    )
    assert scheme.unavailable() is not None
    scheme.prepare()
    scheme.prepare()
    assert asked == [GENERATOR.url, DETECTOR.url]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(CARDS)
    assert scheme.unavailable() is None


def test_a_wrong_download_is_thrown_away(tmp_path, monkeypatch, folder):
    monkeypatch.setattr("urllib.request.urlopen", lambda url, timeout: (folder / GENERATOR.file_name).open("rb"))
    with pytest.raises(DetectorError, match=f"must have SHA-256 {GENERATOR.sha256}"):
        get_scheme("audioseal", weights_dir=tmp_path).prepare()
    assert list(tmp_path.iterdir()) == []


def test_the_folder_comes_from_the_environment(tmp_path, monkeypatch):
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
        (folder / GENERATOR.cached_name).touch()
        (folder / DETECTOR.file_name).touch()
        assert get_scheme("audioseal").unavailable() is None


def test_version_names_package_both_weights_and_adapter(scheme, trusting):
    assert trusting["generator_sha256"][:12] in scheme.version
    assert trusting["detector_sha256"][:12] in scheme.version
    assert get_scheme("audioseal").version != scheme.version
