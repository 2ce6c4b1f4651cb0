"""The built-in demo music: reproducible, varied, fit for cutting into clips, and music rather than noise."""

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from sealproof.harness.corpora.demo.mix import PEAK_LIMIT
from sealproof.harness.corpora.demo.music import DemoPiece, compose, demo_pieces, piece_count, piece_duration_s
from sealproof.harness.corpora.demo.score import DRUMS, LEADS, MODES, PROGRESSIONS, STYLES, write_score
from sealproof.harness.corpora.demo.sound import DRUM_NAMES, INSTRUMENTS, Kit, Tone

SAMPLE_RATE = 16_000
DURATION_S = 4.0


def make(index: int, *, seed: int = 0, duration_s: float = DURATION_S, sample_rate: int = SAMPLE_RATE) -> DemoPiece:
    return compose(index, seed=seed, duration_s=duration_s, sample_rate=sample_rate)


@pytest.fixture(scope="module")
def pieces() -> list[DemoPiece]:
    return [make(index) for index in range(24)]


def seconds_of(piece: DemoPiece) -> np.ndarray:
    return piece.audio[: int(DURATION_S) * SAMPLE_RATE].reshape(-1, SAMPLE_RATE).astype(np.float64)


def level_db(audio: np.ndarray) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(audio**2)) + 1e-12))


def centroid_hz(audio: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))
    return float(np.sum(np.fft.rfftfreq(len(audio), 1 / SAMPLE_RATE) * spectrum) / np.sum(spectrum))


def chroma_concentration(audio: np.ndarray) -> float:
    """Share of the 100-1,000 Hz power that lies within 20 cents of equal-tempered pitches; 0.4 for white noise."""
    power = np.abs(np.fft.rfft(audio * np.hanning(len(audio)))) ** 2
    hertz = np.fft.rfftfreq(len(audio), 1 / SAMPLE_RATE)
    band = (hertz > 100) & (hertz < 1_000)
    semitones = 12 * np.log2(hertz[band] / 440)
    in_tune = np.abs(semitones - np.round(semitones)) < 0.2
    return float(power[band][in_tune].sum() / power[band].sum())


def test_the_same_arguments_give_the_same_bits() -> None:
    first, second = make(3), make(3)
    assert first.name == second.name == "piece-0003"
    np.testing.assert_array_equal(first.audio, second.audio)


@pytest.mark.parametrize("change", [{"seed": 1}, {"index": 4}])
def test_another_seed_or_index_is_another_piece(change: dict[str, int]) -> None:
    other = make(**{"index": 3, "seed": 0, **change})
    assert not np.array_equal(make(3).audio, other.audio)


def test_a_piece_does_not_depend_on_those_made_before_it() -> None:
    in_order = list(demo_pieces(8, seed=5))
    alone = compose(7, seed=5, duration_s=piece_duration_s(8), sample_rate=SAMPLE_RATE)
    assert in_order[7].name == alone.name
    np.testing.assert_array_equal(in_order[7].audio, alone.audio)


def test_pieces_are_made_only_when_asked_for() -> None:
    assert next(iter(demo_pieces(10**9))).name == "piece-0000"


@pytest.mark.parametrize(
    ("n_clips", "count", "duration_s"),
    [(1, 1, 2.0), (100, 100, 2.0), (101, 100, 3.0), (200, 100, 3.0), (1_000, 100, 11.0), (5_000, 500, 11.0)],
)
def test_count_and_duration_follow_the_rule(n_clips: int, count: int, duration_s: float) -> None:
    assert piece_count(n_clips) == count
    assert piece_duration_s(n_clips) == duration_s


def test_there_are_always_enough_groups_and_enough_seconds() -> None:
    for n_clips in range(1, 3_000, 7):
        assert piece_count(n_clips) >= min(n_clips, 100)
        assert piece_count(n_clips) * (piece_duration_s(n_clips) - 1) >= n_clips
        assert piece_duration_s(n_clips) <= 12


def test_demo_pieces_yields_what_the_rule_says() -> None:
    pieces = list(demo_pieces(5))
    assert [piece.name for piece in pieces] == [f"piece-{index:04d}" for index in range(5)]
    assert {len(piece.audio) for piece in pieces} == {int(piece_duration_s(5) * SAMPLE_RATE)}


def test_audio_is_fit_for_use(pieces: list[DemoPiece]) -> None:
    for piece in pieces:
        assert piece.audio.dtype == np.float32
        assert piece.audio.shape == (int(DURATION_S * SAMPLE_RATE),)
        assert np.isfinite(piece.audio).all()
        assert np.abs(piece.audio).max() <= np.float32(PEAK_LIMIT)
        assert abs(piece.audio.mean(dtype=np.float64)) < 1e-3
        assert piece.audio[0] == piece.audio[-1] == 0.0, "A piece must start and end without a click."


def test_no_second_is_silent(pieces: list[DemoPiece]) -> None:
    levels = [level_db(second) for piece in pieces for second in seconds_of(piece)]
    assert min(levels) > -45


def test_pieces_differ_in_loudness_and_brightness(pieces: list[DemoPiece]) -> None:
    levels = [level_db(piece.audio.astype(np.float64)) for piece in pieces]
    centroids = [centroid_hz(piece.audio.astype(np.float64)) for piece in pieces]
    assert np.ptp(levels) > 8
    assert np.percentile(centroids, 90) > 1.5 * np.percentile(centroids, 10)


def test_some_pieces_reach_the_top_octave(pieces: list[DemoPiece]) -> None:
    def above_7_khz_db(audio: np.ndarray) -> float:
        power = np.abs(np.fft.rfft(audio)) ** 2
        top = np.fft.rfftfreq(len(audio), 1 / SAMPLE_RATE) > 7_000
        return float(10 * np.log10(power[top].sum() / power.sum()))

    shares = [above_7_khz_db(piece.audio.astype(np.float64)) for piece in pieces]
    assert max(shares) > -30
    assert min(shares) < -40


def test_clips_are_distinct_and_pieces_uncorrelated(pieces: list[DemoPiece]) -> None:
    clips = np.concatenate([seconds_of(piece) for piece in pieces])
    unit = clips / np.linalg.norm(clips, axis=1, keepdims=True)
    for first, second in combinations(range(len(unit)), 2):
        assert abs(unit[first] @ unit[second]) < 0.9
    whole = np.stack([piece.audio / np.linalg.norm(piece.audio) for piece in pieces])
    assert np.abs(np.triu(whole @ whole.T, 1)).max() < 0.5


def test_most_pieces_are_in_tune(pieces: list[DemoPiece]) -> None:
    noise = np.random.default_rng(0).standard_normal(int(DURATION_S * SAMPLE_RATE))
    assert chroma_concentration(noise) < 0.45
    in_tune = [chroma_concentration(piece.audio.astype(np.float64)) > 0.6 for piece in pieces]
    assert np.mean(in_tune) > 0.8


def test_the_chord_changes_move_the_spectrum(pieces: list[DemoPiece]) -> None:
    """A drone or stationary noise would have the same spectrum in its first and last second."""

    def low_spectrum(audio: np.ndarray) -> np.ndarray:
        spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))[60:1_000]
        return np.asarray(spectrum / np.linalg.norm(spectrum))

    likeness = [low_spectrum(seconds_of(piece)[0]) @ low_spectrum(seconds_of(piece)[-1]) for piece in pieces]
    assert np.median(likeness) < 0.8


@pytest.mark.parametrize("sample_rate", [8_000, 44_100])
def test_other_sample_rates_work(sample_rate: int) -> None:
    for index in range(4):
        audio = make(index, duration_s=2.0, sample_rate=sample_rate).audio
        assert audio.shape == (2 * sample_rate,)
        assert np.isfinite(audio).all()


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_an_instrument_plays_in_tune_and_ends_in_silence(instrument: str) -> None:
    tone = Tone(220.0, 1.0, 0.8, 0.5, SAMPLE_RATE, np.random.default_rng(0))
    sound = INSTRUMENTS[instrument](tone)
    assert np.isfinite(sound).all()
    assert level_db(sound) > -35
    assert abs(sound[-1]) < 1e-6
    power = np.abs(np.fft.rfft(sound[:SAMPLE_RATE] * np.hanning(SAMPLE_RATE))) ** 2
    peak_hz = float(np.argmax(power))
    cents = 1_200 * np.log2(peak_hz / 220.0)
    nearest_partial = 1_200 * np.log2(max(1, round(peak_hz / 110.0)) / 2)
    assert abs(cents - nearest_partial) < 35


@pytest.mark.parametrize("drum", DRUM_NAMES)
def test_a_drum_decays_and_no_two_strokes_are_equal(drum: str) -> None:
    kit, rng = Kit(1.0, 1.0, SAMPLE_RATE), np.random.default_rng(0)
    first, second = kit.strike(drum, rng), kit.strike(drum, rng)
    quarter = len(first) // 4
    assert level_db(first[:quarter]) > level_db(first[-quarter:]) + 15
    assert abs(first[-1]) < 1e-6
    assert not np.array_equal(first, second)


def test_an_unknown_drum_is_refused() -> None:
    with pytest.raises(ValueError, match=r"The 'drum' of Kit.strike must be one of kick, .* Got 'gong'\."):
        Kit(1.0, 1.0, SAMPLE_RATE).strike("gong", np.random.default_rng(0))


def test_every_style_names_only_what_exists() -> None:
    """A wrong name would fail only for the seeds that draw it."""
    for style in STYLES:
        instruments = {
            *style.comp_instruments, *style.bass_instruments, *style.lead_instruments, *style.pad_instruments,
        }  # fmt: skip
        assert instruments - {None} <= set(INSTRUMENTS)
        assert set(style.modes) <= set(MODES) == set(PROGRESSIONS)
        assert set(style.drums) - {None} <= set(DRUMS)
        assert set(style.leads) <= set(LEADS)
    rhythms = [rhythm for kit in DRUMS.values() for rhythm in kit.values()]
    assert {len(rhythm) for rhythm in rhythms} == {16}
    assert {drum for kit in DRUMS.values() for drum in kit} <= set(DRUM_NAMES)


def test_scores_stay_in_their_key() -> None:
    for seed in range(12):
        score = write_score(np.random.default_rng(seed), 8.0)
        classes = {round(note.pitch) % 12 for part in score.parts for note in part.notes}
        scales = [{(tonic + step) % 12 for step in mode} for tonic in range(12) for mode in MODES.values()]
        assert any(classes <= scale for scale in scales)
        assert len(classes) >= 3


def test_all_notes_start_within_the_piece() -> None:
    for seed in range(12):
        score = write_score(np.random.default_rng(seed), 2.5)
        starts = [event.start_s for part in score.parts for event in part.notes] + [hit.start_s for hit in score.hits]
        assert 0.0 <= min(starts) <= max(starts) < 2.5


def test_every_style_is_drawn_and_covers_the_tempo_range() -> None:
    scores = [write_score(np.random.default_rng(seed), 2.0) for seed in range(200)]
    assert {score.style.name for score in scores} == {style.name for style in STYLES}
    tempos = [score.tempo_bpm for score in scores]
    assert min(tempos) < 70
    assert max(tempos) > 155


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"index": -1}, r"The 'index' of demo music must be at least 0\. Got -1\."),
        ({"seed": -2}, r"The 'seed' of demo music must be at least 0\. Got -2\."),
        ({"duration_s": 0.0}, r"The 'duration_s' of demo music must be between 0\.1 and 600\. Got 0\.0\."),
        ({"duration_s": float("nan")}, r"The 'duration_s' of demo music .* Got nan\."),
        ({"sample_rate": 16}, r"The 'sample_rate' of demo music must be between 8000 and 96000\. Got 16\."),
    ],
)
def test_compose_refuses_bad_input(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**{"index": 0, **arguments})


@pytest.mark.parametrize("n_clips", [0, -5])
def test_a_count_below_one_is_refused(n_clips: int) -> None:
    message = rf"The 'n_clips' of demo music must be at least 1\. Got {n_clips}\."
    for function in (piece_count, piece_duration_s, demo_pieces):
        with pytest.raises(ValueError, match=message):
            function(n_clips)


def test_demo_pieces_refuses_bad_input_before_the_first_piece() -> None:
    with pytest.raises(ValueError, match="'sample_rate' of demo music"):
        demo_pieces(5, sample_rate=200_000)
    with pytest.raises(ValueError, match="'seed' of demo music"):
        demo_pieces(5, seed=-1)


def test_colour_brightens_an_instrument() -> None:
    dull = Tone(220.0, 1.0, 0.8, 0.0, SAMPLE_RATE, np.random.default_rng(0))
    bright = replace(dull, colour=1.0, rng=np.random.default_rng(0))
    for name in ("strings", "brass", "piano", "guitar", "saw_lead"):
        assert centroid_hz(INSTRUMENTS[name](bright)) > 1.05 * centroid_hz(INSTRUMENTS[name](dull))
