"""The search for counterexamples: short chains, harmless links, verified on other recordings, kept and replayed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sealproof.harness.cli.main import main
from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.statistics.estimation.estimate import Estimate
from sealproof.harness.studies.counterexamples.keep import keep
from sealproof.harness.studies.counterexamples.kept import chains_of, read
from sealproof.harness.studies.counterexamples.request import SearchRequest
from sealproof.harness.studies.counterexamples.search import Counterexample, Found, search

# Neither the band below 3 kHz nor 6 bits are too little for spread_spectrum; both together are.
LINKS = "lowpass.3khz,quantise.6bits,quantise.8bits,gain.-6db"
SMALL = SearchRequest(attacks=LINKS, alone=0.8, together=0.3, most_lsd_db=60, n_runs=60, n_clips=6)


@pytest.fixture(scope="module")
def found(bench_dataset: Dataset) -> Found:
    return search(bench_dataset, SMALL)


def test_the_chain_that_is_found_has_two_links_that_do_no_harm_alone(found: Found) -> None:
    [example] = found.counterexamples
    assert len(example.links) == 2
    assert example.validation_rate <= SMALL.together
    assert example.chain == "+".join(example.links)
    assert example.n_runs <= SMALL.n_runs
    assert example.lsd_db <= SMALL.most_lsd_db


def test_what_does_no_harm_is_shrunk_away(found: Found) -> None:
    [example] = found.counterexamples
    assert set(example.links) == {"lowpass.3khz", "quantise.6bits"}


def test_it_is_verified_on_recordings_that_were_not_searched(found: Found, bench_dataset: Dataset) -> None:
    [example] = found.counterexamples
    assert example.verified.n_clips <= len(bench_dataset.split("test"))
    assert example.verified.ci_low <= example.verified.value <= example.verified.ci_high
    is_confirmed = min(example.links.values()) >= SMALL.alone and example.verified.value <= SMALL.together
    assert example.is_confirmed == is_confirmed


def test_the_same_seed_finds_the_same(found: Found, bench_dataset: Dataset) -> None:
    assert search(bench_dataset, SMALL) == found


def test_runs_are_never_exceeded_by_more_than_the_links_alone(bench_dataset: Dataset) -> None:
    spent = search(bench_dataset, replace(SMALL, n_runs=7, together=0.01))
    assert spent.n_runs <= 7 + len(LINKS.split(","))


def test_a_budget_of_hearing_that_allows_nothing_finds_nothing(bench_dataset: Dataset) -> None:
    with pytest.raises(HarnessError, match="A chain needs two attacks"):
        search(bench_dataset, replace(SMALL, most_lsd_db=0.0, attacks="lowpass.3khz,quantise.6bits"))


def test_disagreement_needs_a_mimic(bench_dataset: Dataset) -> None:
    with pytest.raises(HarnessError, match="needs a mimic"):
        search(bench_dataset, replace(SMALL, of="agreement"))


def example_of(chain: str, *, is_confirmed: bool = True) -> Counterexample:
    links = dict.fromkeys(chain.split("+"), 1.0)
    return Counterexample(chain, links, 0.0, Estimate(0.05, 0.01, np.nan, 20, 5), is_confirmed, 7.25, 12)


def test_confirmed_ones_are_kept_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "kept.toml"
    examples = (example_of("gain.6db+lowpass.4khz"), example_of("mp3.8kbps+lowpass.4khz", is_confirmed=False))
    assert keep(path, Found("toy", ("toy",), examples, 2, 12), "detection") == 1
    assert keep(path, Found("other", ("other",), (example_of("gain.6db+mp3.8kbps"),), 2, 12), "detection") == 1
    assert chains_of(path, "toy") == ["gain.6db+lowpass.4khz"]
    assert chains_of(path, "other") == ["gain.6db+mp3.8kbps"]
    [entry] = [entry for entry in read(path) if entry["scheme"] == "toy"]
    assert entry["together"] == 0.05
    assert entry["ci_high"] == "unknown"
    assert entry["alone"] == {"gain.6db": 1.0, "lowpass.4khz": 1.0}


def test_there_is_nothing_where_there_is_no_file(tmp_path: Path) -> None:
    assert chains_of(tmp_path / "none.toml", "toy") == []


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kept.toml"
    path.write_text("[[counterexample]]\nscheme = 3\n")
    with pytest.raises(HarnessError, match="is damaged"):
        chains_of(path, "toy")


@pytest.mark.parametrize("change", [{"of": "luck"}, {"together": 0.99}, {"n_runs": 0}])
def test_impossible_searches_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(HarnessError):
        replace(SMALL, **change)  # type: ignore[arg-type]


def test_the_command_says_what_it_found(
    bench_dataset: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "kept.toml"
    options = ["--attacks", LINKS, "--alone", "0.8", "--together", "0.3", "--lsd", "60", "--runs", "60", "--clips", "6"]
    assert main(["search", str(bench_dataset.root), *options, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "leave 0.8 alone" in said
    assert "on validation" in said
    assert ("Nothing was kept." in said) != out.is_file()
