"""Which attacks a run is made of: presets, sweeps out of TOML, and what is refused."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from sealproof.attacks import attack_class, list_attacks
from sealproof.attacks.contract.base import AttackError
from sealproof.attacks.selection import list_presets, load_attacks


def load(tmp_path: Path, text: str) -> list[str]:
    """The ids of the attacks that a TOML file of this text names."""
    path = tmp_path / "attacks.toml"
    path.write_text(text, encoding="utf-8")
    return [attack.id for attack in load_attacks(str(path))]


def test_every_preset_loads_with_identity_first() -> None:
    assert list_presets() == [
        "audiomarkbench", "audioseal_paper", "fast", "full", "omniseal", "raw_bench_strict", "standard",
    ]  # fmt: skip
    for preset in list_presets():
        ids = [attack.id for attack in load_attacks(preset)]
        assert ids[0] == "identity"
        assert len(set(ids)) == len(ids) > 1


def test_full_is_every_attack_that_can_be_done_here_over_its_whole_sweep() -> None:
    ids = {attack.id for attack in load_attacks("full")}
    classes = [attack_class(name) for name in list_attacks()]
    assert ids == {attack.id for cls in classes if cls.unavailable() is None for attack in cls.standard()}


def test_presets_grow() -> None:
    fast, standard, full = ({attack.id for attack in load_attacks(name)} for name in ("fast", "standard", "full"))
    assert 20 <= len(fast) <= 30
    assert len(fast) < len(standard) < len(full)
    families = {attack.family for attack in load_attacks("full")}
    assert {attack.family for attack in load_attacks("standard")} >= families


def test_ids_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ids = [attack.id for attack in load_attacks("mp3.64kbps,gain.6db,gain.6db+mp3.64kbps,polarity")]
    assert ids == ["identity", "mp3.64kbps", "gain.6db", "gain.6db+mp3.64kbps", "polarity"]
    assert [attack.id for attack in load_attacks("polarity,gain.6db")] == ["identity", "polarity", "gain.6db"]
    assert [attack.id for attack in load_attacks("polarity+gain.6db")] == ["identity", "polarity+gain.6db"]
    with pytest.raises(AttackError, match="mp3 needs the parameter bitrate_kbps"):
        load_attacks("mp3")
    (tmp_path / "mp3.toml").write_text("[attacks]\ngain = { gain_db = [6] }\n")
    assert [attack.id for attack in load_attacks("mp3.toml")] == ["identity", "gain.6db"]


def test_chains_stand_in_a_list(tmp_path: Path) -> None:
    assert load(tmp_path, 'chains = ["mp3.64kbps+gain.6db"]\n') == ["identity", "mp3.64kbps+gain.6db"]
    assert load(tmp_path, 'chains = ["mp3.64kbps+gain.6db"]\n[attacks]\npolarity = {}\n')[1] == "polarity"


def test_a_list_of_tables_is_a_list_of_grids(tmp_path: Path) -> None:
    text = "[attacks]\necho = [{ delay_ms = [100], gain = [0.1] }, { delay_ms = [300, 500], gain = [0.3] }]\n"
    assert load(tmp_path, text) == ["identity", "echo.100ms.0.1x", "echo.300ms.0.3x", "echo.500ms.0.3x"]


def test_lists_are_combined_each_with_each(tmp_path: Path) -> None:
    ids = load(
        tmp_path, "[attacks]\nmp3 = { bitrate_kbps = [64, 32] }\necho = { delay_ms = [50, 100], gain = [0.3] }\n"
    )
    assert ids == ["identity", "mp3.64kbps", "mp3.32kbps", "echo.50ms.0.3x", "echo.100ms.0.3x"]


def test_a_bare_number_is_a_sweep_of_one_and_equal_attacks_are_one(tmp_path: Path) -> None:
    text = "[attacks]\nidentity = {}\nmp3 = { bitrate_kbps = 64 }\n[attacks.white_noise]\nsnr_db = [20, 20.0]\n"
    assert load(tmp_path, text) == ["identity", "mp3.64kbps", "white_noise.20db"]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("attacks = [", "attacks.toml must be TOML ("),
        ("", "must have a table [attacks] with an entry per attack, or a list `chains`, or both, and nothing else."),
        ("[attacks]\n", "and nothing else. Got ['attacks']."),
        ("attacks = 3\n", "must have a table [attacks]"),
        ("chains = 'gain.6db+polarity'\n", "`chains` must be a list of ids joined by '+'. Got 'gain.6db+polarity'."),
        ("chains = [3]\n", "`chains` must be a list of ids joined by '+'. Got [3]."),
        ("[attacks]\nidentity = {}\n[atacks]\n", "Got ['atacks', 'attacks']."),
        ("[attacks]\nmp3 = [64]\n", "mp3 must be a table of lists, such as { bitrate_kbps = [64, 32] }. Got 64."),
        ("[attacks]\nmp3 = { bitrate_kbps = [] }\n", "every list of mp3 must hold at least one strength."),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str, rule: str) -> None:
    with pytest.raises(AttackError, match=re.escape(rule)) as caught:
        load(tmp_path, text)
    assert "attacks.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("mp33 = { bitrate_kbps = [64] }", "There is no attack 'mp33'. Did you mean 'mp3'?"),
        ("mp3 = { bitrate = [64] }", "mp3 has no parameter 'bitrate'. Its parameters: bitrate_kbps"),
        ("mp3 = { bitrate_kbps = [65] }", "The 'bitrate_kbps' of mp3 must be one of"),
        ("mp3 = {}", "mp3 needs the parameter bitrate_kbps"),
        ("lowpass = { cutoff_hz = [-1] }", "The 'cutoff_hz' of lowpass must be"),
        ("white_noise = { snr_db = [nan] }", "The 'snr_db' of white_noise must be"),
        ("white_noise = { snr_db = ['loud'] }", "The 'snr_db' of white_noise must be"),
        ("white_noise = { snr_db = [[20]] }", "The 'snr_db' of white_noise must be"),
        ("white_noise = { snr_db = [true] }", "The 'snr_db' of white_noise must be"),
    ],
)
def test_an_unknown_or_impossible_attack_is_refused(tmp_path: Path, text: str, rule: str) -> None:
    with pytest.raises(AttackError, match=re.escape(rule)):
        load(tmp_path, f"[attacks]\n{text}\n")


@pytest.mark.parametrize("spec", ["fats", "no/such.toml", "", "../presets/fast", "."])
def test_what_is_neither_preset_nor_file_is_refused(spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    presets = ", ".join(list_presets())
    rule = f"--attacks must be one of the presets {presets}, a TOML file, or ids of attacks. Got {spec!r}"
    with pytest.raises(AttackError, match=re.escape(rule)):
        load_attacks(spec)


def test_a_misspelt_preset_gets_a_hint() -> None:
    with pytest.raises(AttackError, match="Did you mean 'standard'"):
        load_attacks("standart")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "attacks.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(AttackError, match="must be TOML"):
        load_attacks(str(tmp_path / "attacks.toml"))


def test_collecting_the_fast_cells_loads_no_heavy_library() -> None:
    code = (
        "import sys\nfrom sealproof.attacks.selection import load_attacks\nload_attacks('fast')\n"
        "print(*{'scipy.signal', 'scipy.stats', 'librosa', 'torch', 'tensorflow', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
