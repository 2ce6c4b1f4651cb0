"""Quality by models of hearing: the packages are there, or are said not to be."""

import math
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from sealproof.attacks.testing import music_like
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.matrix.quality import perceptual
from sealproof.harness.matrix.quality.perceptual import (
    PERCEPTUAL_METRICS,
    QualityError,
    check_metrics,
    metric_version,
    perceptual_quality,
)

RATE = 16_000
PACKAGES = {"pesq": "pesq", "stoi": "pystoi", "zimtohrli": "zimtohrli"}
HERE = [
    pytest.param(metric, marks=pytest.mark.skipif(find_spec(package) is None, reason=f"{package} is not installed"))
    for metric, package in PACKAGES.items()
]
CLIPS = music_like(1, RATE, RATE)
NOISE = np.random.default_rng(0).standard_normal(CLIPS.shape).astype(np.float32)
BEST = {"pesq": 4.64, "stoi": 1.0, "zimtohrli": 5.0}


@pytest.mark.parametrize("metric", HERE)
def test_equal_clips_get_the_best_score_and_noise_lowers_it(metric: str) -> None:
    scores = [
        perceptual_quality(metric, CLIPS, CLIPS + np.float32(level) * NOISE, RATE)[0] for level in (0, 0.001, 0.02, 0.3)
    ]
    assert scores[0] == pytest.approx(BEST[metric], abs=0.01)
    assert scores == sorted(scores, reverse=True)
    assert scores[3] < scores[0] - 0.05


@pytest.mark.parametrize("metric", HERE)
def test_other_rates_are_resampled(metric: str) -> None:
    import soxr

    def at(rate: int) -> float:
        before, after = (soxr.resample(clip, RATE, rate) for clip in (CLIPS[0], CLIPS[0] + np.float32(0.02) * NOISE[0]))
        return float(perceptual_quality(metric, before[None], after[None], rate)[0])

    assert at(48_000) == pytest.approx(at(RATE), abs=0.02)


@pytest.mark.parametrize("metric", HERE)
def test_a_silent_original_has_no_score(metric: str) -> None:
    silence = np.zeros_like(CLIPS)
    assert math.isnan(perceptual_quality(metric, silence, CLIPS, RATE)[0])


@pytest.mark.parametrize("metric", HERE[:2])
def test_silence_and_scraps_of_sound_have_no_score(metric: str) -> None:
    scrap = np.zeros_like(CLIPS)
    scrap[:, : RATE // 5] = CLIPS[:, : RATE // 5]
    found = perceptual_quality(metric, CLIPS, np.zeros_like(CLIPS), RATE)
    assert math.isnan(found[0])
    short = CLIPS[:, : RATE // 5]
    assert math.isnan(perceptual_quality(metric, short, short, RATE)[0])
    if metric == "stoi":  # which leaves silent frames out
        assert math.isnan(perceptual_quality(metric, scrap, scrap, RATE)[0])


@pytest.mark.parametrize("metric", HERE)
def test_a_version_names_the_package(metric: str) -> None:
    assert metric_version(metric).startswith(f"{PACKAGES[metric]}-")


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(HarnessError, match=r"--quality must name some of pesq, stoi, zimtohrli.* Got 'visqol'"):
        check_metrics(["visqol"])
    check_metrics([])


@pytest.mark.parametrize("metric", PERCEPTUAL_METRICS)
def test_a_package_that_is_not_there_is_named(metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perceptual, "find_spec", lambda name: None)
    with pytest.raises(HarnessError, match=rf"needs the package {PACKAGES[metric]}.*sealproof\[quality\]"):
        check_metrics([metric])


@pytest.mark.parametrize("metric", PERCEPTUAL_METRICS)
def test_a_package_that_is_broken_is_named(metric: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = PACKAGES[metric]
    (tmp_path / f"{package}.py").write_text("raise OSError('undefined symbol')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, package, raising=False)
    monkeypatch.setattr(perceptual, "version", lambda name: "1.0")
    with pytest.raises(
        HarnessError, match=rf"package {package}, which cannot be imported \(OSError: undefined symbol\)"
    ):
        check_metrics([metric])
    with pytest.raises(QualityError, match=rf"{metric} failed: OSError: undefined symbol\. Run without --quality"):
        perceptual_quality(metric, CLIPS, CLIPS, RATE)
