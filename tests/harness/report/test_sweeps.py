"""Which cells make a sweep, and how they are called."""

from hypothesis import given
from hypothesis import strategies as st

from sealproof.harness.report.sweeps import heat_map_rows, labels_of, subtitle_of
from sealproof.harness.report.terms import METRICS, RULES, parameter_words, value_short, value_text
from sealproof.harness.report.verdict import cell_text
from sealproof.harness.tables.dictionary import metrics as schema
from sealproof.harness.tables.reading.run_folder import ReportedCell
from sealproof.harness.tables.reading.sweeps import stronger, sweeps_of


def cell(attack: str, params: str = "", attack_id: str = "") -> ReportedCell:
    return ReportedCell(attack, params, attack_id or attack, "", "", "")


def cells(attack: str, *params: str) -> list[ReportedCell]:
    return [cell(attack, each) for each in params]


def test_a_sweep_goes_from_weak_to_strong_whatever_the_order_of_the_run() -> None:
    run = cells("mp3", "bitrate_kbps=32", "bitrate_kbps=128", "bitrate_kbps=8")
    (sweep,) = sweeps_of(run)
    assert sweep.cells == (1, 0, 2)
    assert labels_of(sweep) == ["128", "32", "8"]
    assert subtitle_of(sweep) == "bitrate (kbps)"
    assert sweep.is_ordered


def test_an_attack_with_two_directions_ascends_and_does_not_claim_to_grow() -> None:
    (sweep,) = sweeps_of(cells("gain", "gain_db=6", "gain_db=-20", "gain_db=-6"))
    assert sweep.cells == (1, 2, 0)
    assert not sweep.is_ordered


def test_parameters_vary_one_at_a_time() -> None:
    run = cells(
        "echo", "delay_ms=100;gain=0.3", "delay_ms=100;gain=0.5", "delay_ms=300;gain=0.3", "delay_ms=50;gain=0.3"
    )
    by_parameter = {sweep.parameter: sweep for sweep in sweeps_of(run)}
    assert by_parameter.keys() == {"delay_ms", "gain"}
    assert by_parameter["gain"].cells == (0, 1)
    assert subtitle_of(by_parameter["gain"]) == "gain at delay 100 ms"
    assert set(by_parameter["delay_ms"].cells) == {0, 2, 3}


def test_words_make_a_row_but_no_curve() -> None:
    (sweep,) = sweeps_of(cells("telephone", "law=mulaw", "law=alaw"))
    assert not sweep.is_numeric
    assert labels_of(sweep) == ["mulaw", "alaw"]


def test_chains_of_the_same_links_are_one_sweep_under_the_links_names() -> None:
    run = [
        cell("chain", f"1.mp3.bitrate_kbps={rate};2.lowpass.cutoff_hz=4000", f"mp3.{rate}kbps+lowpass.4khz")
        for rate in (64, 32)
    ]
    (sweep,) = sweeps_of([*run, cell("chain", "1.gain.gain_db=6", "gain.6db+polarity")])
    assert sweep.title == "mp3+lowpass"
    assert subtitle_of(sweep) == "mp3 bitrate (kbps) at lowpass cutoff 4 kHz"
    assert sweep.cells == (1, 0)
    assert not sweep.is_ordered


def test_the_damage_of_an_attack_that_is_not_installed_has_no_direction() -> None:
    assert stronger("mp3", "bitrate_kbps") == -1
    assert stronger("highpass", "cutoff_hz") == 1
    assert stronger("gain", "gain_db") == 0
    assert stronger("of_a_plug_in", "strength") == 0


GRIDS = st.lists(
    st.tuples(st.sampled_from(["echo", "reverb"]), st.integers(0, 4), st.integers(0, 4)), min_size=1, unique=True
)


@given(GRIDS)
def test_every_cell_is_in_a_row_and_every_sweep_varies_one_parameter(grid: list[tuple[str, int, int]]) -> None:
    run = [cell(name, f"a_ms={first};b={second}") for name, first, second in grid]
    sweeps = sweeps_of(run)
    rows = heat_map_rows(run, sweeps)
    assert {index for row in rows for index in row.cells} == set(range(len(run)))
    for row in rows:
        assert len(row.cells) == len(labels_of(row))
    for sweep in sweeps:
        own = [run[index].parameters for index in sweep.cells]
        assert len({run[index].attack for index in sweep.cells}) == 1
        assert [one[sweep.parameter] for one in own] == list(sweep.values)
        assert len({tuple(value for name, value in one.items() if name != sweep.parameter) for one in own}) == 1
        assert [float(value) for value in sweep.values] == sorted(float(value) for value in sweep.values)


def test_values_are_written_for_people() -> None:
    assert value_text("cutoff_hz", "4000") == "4 kHz"
    assert value_text("cutoff_hz", "500") == "500 Hz"
    assert value_text("gain_db", "-6") == "-6 dB"
    assert value_text("factor", "1.05") == "1.05"
    assert value_text("law", "mulaw") == "mulaw"
    assert value_short("via_hz", "11025") == "11.025k"
    assert parameter_words("1.mp3.bitrate_kbps") == "mp3 bitrate"
    assert cell_text(cell("speed", "factor=1.05")) == "speed factor 1.05"
    assert cell_text(cell("echo", "delay_ms=100;gain=0.3")) == "echo 100 ms, gain 0.3"
    assert cell_text(cell("identity")) == "identity"


def test_every_metric_and_rule_of_the_tables_has_its_words() -> None:
    assert schema.METRICS.keys() == METRICS.keys()
    assert schema.THRESHOLD_RULES.keys() == RULES.keys()
    for name, meant in schema.METRICS.items():
        assert METRICS[name].pale == {"higher": "high", "lower": "low"}.get(meant.better, METRICS[name].pale), name
    for name, rule in schema.THRESHOLD_RULES.items():
        assert ("optimistic" in RULES[name]) == rule.is_optimistic, name
