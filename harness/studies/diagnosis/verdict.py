"""What a diagnosis comes to, in words."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sealproof.harness.studies.diagnosis.finding import Finding
from sealproof.harness.studies.diagnosis.material import percent, words_joined

MOSTLY = 0.5
"""Share of clips that a trick must fool for the verdict to be that detection rests on it."""

EXPLAINED = 0.25
"""Share of the mark's energy from which on a pattern counts as what the mark is."""


LOOKALIKES = ("lookalikes.random_phases", "lookalikes.shaped_noise", "lookalikes.backwards", "lookalikes.moved_up")
"""What has lost everything of a mark but its shape: a detector that still takes it for one decides on shape alone."""


@dataclass(frozen=True)
class DiagnosisVerdict:
    """What the detector decides on, as far as the probes can tell.

    Attributes:
        tricks: Names of the cheap tricks that were found: `one_frequency`, `plain_sound`, `one_band`,
            `fixed_waveform`, `fixed_carrier`, `periodic`, `fixed_waveform_any_lag`, `shaped_sound`, `linear`.
        sentences: The verdict for people, the most telling first.
    """

    tricks: Sequence[str]
    sentences: Sequence[str]


def judge_findings(findings: Mapping[str, Finding]) -> DiagnosisVerdict:
    """Put the findings of a diagnosis into words."""
    tricks = list(_tricks(findings))
    if not tricks:
        return DiagnosisVerdict((), (_nothing(findings), *_missed(findings)))
    return DiagnosisVerdict(
        tuple(dict.fromkeys(name for name, _ in tricks)), [*(sentence for _, sentence in tricks), *_missed(findings)]
    )


def _tricks(findings: Mapping[str, Finding]) -> Iterator[tuple[str, str]]:
    value = _Values(findings)
    sine = findings.get("sounds.sine")
    if sine is not None and sine.passes is False:
        where = f"a sine at {_sound(sine)}, flags {percent(sine.value)} of clean clips"
        narrow = value("sounds.sine.10hz_off") < sine.value / 2
        if sine.value <= MOSTLY:
            yield "plain_sound", where
        elif narrow:
            yield "one_frequency", f"decides on one frequency: {where}"
        else:
            yield "plain_sound", f"takes a plain sine for the mark: {where}"
    others = [findings.get(f"sounds.{kind}") for kind in ("harmonics", "chirp", "hum", "noise")]
    fooled = [
        f"{finding.name.removeprefix('sounds.')} ({_sound(finding)}) {percent(finding.value)}"
        for finding in others
        if finding is not None and finding.passes is False
    ]
    if fooled:
        yield "plain_sound", f"clean clips are flagged with plain sounds: {words_joined(fooled)}"
    for width in (50, 200):
        without, only = findings.get(f"bands.without_{width}hz"), findings.get(f"bands.only_{width}hz")
        if without is not None and only is not None and without.value < MOSTLY:
            yield (
                "one_band",
                f"detection rests on one band: without {without.detail} {percent(without.value)} of marked clips are "
                f"flagged, with {only.detail} of the mark alone {percent(only.value)}",
            )
            break
    yield from _patterns(findings)


def _sound(finding: Finding) -> str:
    """Say what a sound is and how far below the clip: `1,200.0 Hz, 20 dB below the clip`."""
    what, _, level = finding.detail.rpartition(", -")
    return f"{what}, {level} below the clip"


def _patterns(findings: Mapping[str, Finding]) -> Iterator[tuple[str, str]]:
    value = _Values(findings)
    other, same = value("mean_mark.100_other_messages"), value("mean_mark.100_same_message")
    share = max(value("waveform.fixed_other_messages"), value("waveform.fixed_same_message"))
    local = max(
        value(f"waveform.{kind}_{messages}")
        for kind in ("carrier", "local_carrier")
        for messages in ("other_messages", "same_message")
    )
    moved = value("alignment.tpr.offset.100samples")
    fooled = max(other, same)
    if fooled > MOSTLY or share > EXPLAINED:
        # A family that was not asked about has no part in the sentence.
        parts = []
        if math.isfinite(fooled):
            which = "" if other >= same else " of one message"
            parts.append(f"the mean mark{which} of 100 other clips flags {percent(fooled)} of clean clips")
        if math.isfinite(share):
            parts.append(f"one waveform explains {percent(share)} of the marks' energy on other recordings")
        if math.isfinite(moved):
            parts.append(f"after an offset of 100 samples {percent(moved)} of marked clips are flagged")
        place = (
            ""
            if not math.isfinite(moved)
            else " on the sample grid"
            if moved < MOSTLY
            else " that survives being moved"
        )
        yield "fixed_waveform", f"a fixed waveform{place}: {words_joined(parts)}"
    if local > EXPLAINED and local > 1.2 * share:
        yield (
            "fixed_carrier",
            f"a fixed carrier times the host's level explains {percent(local)} of the marks' energy, on other "
            "recordings",
        )
    periodic = findings.get("waveform.periodic")
    if periodic is not None and periodic.value > EXPLAINED:
        yield "periodic", f"the mark repeats {periodic.detail}: {percent(periodic.value)} of its energy"
    lag = findings.get("waveform.any_lag")
    if lag is not None and lag.value > EXPLAINED and lag.value > 2 * share and not _is_chance(lag):
        yield "fixed_waveform_any_lag", f"one waveform laid wherever it fits explains {percent(lag.value)} of the marks"
    shaped = [findings[name] for name in LOOKALIKES if value(name) > MOSTLY]
    if shaped:
        words = words_joined(
            [
                f"{finding.meaning.removeprefix('clean clips flagged with ')} ({percent(finding.value)})"
                for finding in shaped
            ]
        )
        yield "shaped_sound", f"what is merely shaped like a mark is taken for one: {words}"
    linear = [finding for name, finding in findings.items() if name.startswith("linear.") and finding.passes is False]
    if linear:
        best = max(linear, key=lambda finding: finding.value)
        words = best.meaning.removeprefix("linear detector: ")
        yield "linear", f"a linear detector finds the mark ({words}: AUC {best.value:.3f})"


def _is_chance(lag: Finding) -> bool:
    """Whether marks with random phases would be explained as well: those of a narrow band always are."""
    chance = float(lag.detail.rpartition(" ")[2])
    return lag.value < 2 * chance


def _nothing(findings: Mapping[str, Finding]) -> str:
    parts = []
    for name, words in (
        ("sounds.sine", "the worst sine flags {} of clean clips"),
        ("bands.without_50hz", "the worst 50 Hz removed leave {}"),
        ("mean_mark.100_other_messages", "the mean mark of 100 clips flags {} of others"),
    ):
        finding = findings.get(name)
        if finding is not None and not math.isnan(finding.value):
            parts.append(words.format(percent(finding.value)))
    linear = [finding for name, finding in findings.items() if name.startswith("linear.")]
    if linear:
        parts.append(f"the best linear detector has AUC {max(finding.value for finding in linear):.3f}")
    return f"no cheap trick found: {words_joined(parts)}" if parts else "no cheap trick found"


def _missed(findings: Mapping[str, Finding]) -> Iterator[str]:
    missed = [finding for finding in findings.values() if finding.passes is False]
    for words, is_goal in (("floors missed", False), ("goals missed", True)):
        names = [finding.name for finding in missed if finding.limit is not None and finding.limit.is_goal == is_goal]
        if names:
            yield f"{words}: {words_joined(names)}"


class _Values:
    """Values of findings by name; -inf where a probe did not apply, so that no comparison takes it for a trick."""

    def __init__(self, findings: Mapping[str, Finding]) -> None:
        self._findings = findings

    def __call__(self, name: str) -> float:
        finding = self._findings.get(name)
        return -math.inf if finding is None or math.isnan(finding.value) else finding.value
