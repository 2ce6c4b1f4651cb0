import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from sealproof.detectors import Audio, Bits, DetectorError, UnavailableError, get_scheme
from sealproof.detectors.perth import CHECKPOINT, CHECKPOINT_SHA256, MIN_SAMPLES, PACKAGE, PerthScheme


@pytest.fixture(scope="module")
def scheme() -> PerthScheme:
    return PerthScheme()


@pytest.fixture(scope="module")
def package() -> Any:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="pkg_resources is deprecated as an API")
        import perth
    return perth.PerthImplicitWatermarker()


@pytest.fixture(scope="module")
def clips(music: Callable[..., Audio]) -> Audio:
    return music(8, seed=1)


def no_messages(batch: Audio) -> Bits:
    return np.empty((len(batch), 0), np.uint8)


def test_the_watermark_is_the_packages_own(scheme: PerthScheme, package: Any, clips: Audio) -> None:
    theirs = np.stack([package.apply_watermark(clip, sample_rate=16_000) for clip in clips])
    # What the package does to a host that it gives no watermark: to 32 kHz and back.
    resampled = np.stack([soxr.resample(soxr.resample(clip, 16_000, 32_000), 32_000, 16_000) for clip in clips])
    watermark = scheme.watermarker.embed(clips, no_messages(clips)) - clips
    assert np.abs(watermark).max() > 1e-2
    np.testing.assert_allclose(watermark, theirs - resampled, atol=1e-4)


def test_the_host_is_left_as_it_was_so_that_resampling_does_not_tell_the_classes_apart(
    scheme: PerthScheme, package: Any, clips: Audio
) -> None:
    def energy_above_7_khz(audio: Audio) -> NDArray[np.float64]:
        # Windowed, or the ends of the clip would spread low frequencies up here.
        return np.square(np.abs(np.fft.rfft(audio * np.hanning(16_000)))[:, 7_000:]).sum(axis=1)

    host = energy_above_7_khz(clips)
    theirs = np.stack([package.apply_watermark(clip, sample_rate=16_000) for clip in clips])
    assert np.all(energy_above_7_khz(theirs) < 0.95 * host), "the package's resampling leaves a trace"
    ours = scheme.watermarker.embed(clips, no_messages(clips))
    np.testing.assert_allclose(energy_above_7_khz(ours), host, rtol=1e-2)


def test_scores_are_the_packages_own_before_it_clips_them(scheme: PerthScheme, package: Any, clips: Audio) -> None:
    both = np.concatenate([clips, scheme.watermarker.embed(clips, no_messages(clips))])
    expected = [package.get_watermark(clip, sample_rate=16_000, round=False).item() for clip in both]
    assert np.ptp(expected) > 0.1, "scores that are all alike would prove nothing"
    scores = scheme.detector.detect(both).score
    np.testing.assert_allclose(scores.clip(0, 1), expected, atol=1e-4)


def test_silence_scores_zero_where_the_package_gives_nan(scheme: PerthScheme, package: Any, clips: Audio) -> None:
    silence = np.zeros(16_000, np.float32)
    assert np.isnan(package.get_watermark(silence, sample_rate=16_000, round=False)).all()
    found = scheme.detector.detect(np.stack([silence, clips[0]]))
    assert found.score[0] == 0.0
    assert found.score[1] == pytest.approx(scheme.detector.detect(clips[:1]).score[0], abs=1e-4)


def test_samples_after_the_last_whole_hop_are_kept(scheme: PerthScheme, clips: Audio) -> None:
    odd = clips[:, :15_990].copy()
    marked = scheme.watermarker.embed(odd, no_messages(odd))
    assert marked.shape == odd.shape
    assert np.abs(marked[:, -90:]).max() > 0


def test_too_short_a_clip_is_refused_and_the_shortest_works(scheme: PerthScheme, clips: Audio) -> None:
    shortest = clips[:, :MIN_SAMPLES].copy()
    assert np.isfinite(scheme.detector.detect(shortest).score).all()
    with pytest.raises(DetectorError, match=r"at least 800 samples\. Got 799"):
        scheme.detector.detect(shortest[:, :-1])


def test_version_names_package_weights_and_adapter(scheme: PerthScheme) -> None:
    assert scheme.version.startswith(f"{PACKAGE}-1.")
    assert CHECKPOINT_SHA256[:12] in scheme.version
    assert get_scheme("perth", expected_sha256="ab" * 32).version != scheme.version


def test_another_checkpoint_is_refused(tmp_path: Path) -> None:
    from importlib.metadata import distribution

    content = Path(str(distribution(PACKAGE).locate_file(CHECKPOINT))).read_bytes()
    truncated = tmp_path / "perth.pth.tar"
    truncated.write_bytes(content[:-1])
    with pytest.raises(DetectorError, match=f"must have SHA-256 {CHECKPOINT_SHA256}"):
        _ = get_scheme("perth", weights=truncated).detector


def test_a_missing_checkpoint_is_said_before_and_on_use(tmp_path: Path) -> None:
    scheme = get_scheme("perth", weights=tmp_path / "nothing.pth.tar")
    assert "nothing.pth.tar is missing" in (scheme.unavailable() or "")
    with pytest.raises(UnavailableError, match=r"nothing\.pth\.tar must be readable"):
        _ = scheme.detector
