"""Does an attack do what it states? Measures attacked audio and holds every claim against it, label by label."""

import hashlib
import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.contract.base import Attack, Attacked, Audio
from sealproof.attacks.contract.chain import Chain
from sealproof.attacks.contract.claims import Claim
from sealproof.attacks.contract.knowledge import Knowledge
from sealproof.attacks.verification.measure import (
    came_back,
    clipped_percent,
    delay_and_correlation,
    is_noop,
    level_change_db,
    new_silence_ms,
    own_clip,
    snr_db,
)
from sealproof.attacks.verification.profile import band_claims, profile

MAX_LAG_MS = 100.0
"""Largest delay that is looked for, in ms: an AAC frame is 64 ms at 16 kHz."""

SHORTEST_S = 0.25
"""Of a clip that tells its delay, in seconds: the low-frequency phase of a filter moves the summit of a shorter one."""

UNCHANGED_SHARE = 0.05
"""Largest share of the clips of one label that may come back as they were, of those that should not."""

CLEAN, WATERMARKED = "clean", "watermarked"
"""Labels of clips without and with a mark; claims are judged for each on its own."""

NOOP = "is_noop"
"""Share of the clips that came back bit for bit, or merely cut or filled up."""

OWN = "own_clip"
"""Share of the clips that became something that is more like them than like others."""

_SHARES = {NOOP, OWN}
"""Quantities of which the mean counts, not the median."""

_ALIGNED = Claim("delay_samples", -1, 1)
_UPRIGHT = Claim("correlation", low=0)
_WITHOUT_GAPS = Claim("new_silence_ms", high=10)
_OF_ITS_OWN = Claim(OWN, low=0.6)


class Status(StrEnum):
    """What became of a claim."""

    KEPT = "kept"
    BROKEN = "broken"
    UNMEASURED = "unmeasured"


@dataclass(frozen=True)
class ClaimVerdict:
    """A claim and what was measured.

    Attributes:
        claim: The claim; None for a quantity that was measured beside it.
        quantity: Its name.
        label: Of the clips: `clean`, `watermarked`, or empty where the two were not told apart.
        median: Over the clips that could be measured; of `is_noop` their share. NaN if none could.
        low: Smallest of them.
        high: Largest of them.
        n_clips: Their number.
        n_unjudged: Clips that do not allow the measurement.
        status: Whether the claim was kept; `unmeasured` where no clip allows the measurement (silence).
    """

    claim: Claim | None
    quantity: str
    label: str
    median: float
    low: float
    high: float
    n_clips: int
    n_unjudged: int
    status: Status

    @property
    def complaint(self) -> str:
        """What is wrong, in words."""
        asked = "" if self.claim is None else self.claim.describe()
        of = f" of {self.label} clips" if self.label else ""
        return f"{self.quantity}{of} must be {asked}. Measured {self.median:.4g} ({self.low:.4g} to {self.high:.4g})."


@dataclass(frozen=True)
class Verification:
    """What was measured of a batch, and what that says of the attack.

    Attributes:
        attack_id: The attack.
        quantities: By name, (n,) float64; NaN where a clip does not allow the measurement.
        verdicts: One for each claim, then one for each quantity that nothing was claimed of.
        sha256: Of the attacked audio: two attacks with the same one do the same.
    """

    attack_id: str
    quantities: Mapping[str, NDArray[np.float64]]
    verdicts: tuple[ClaimVerdict, ...]
    sha256: str

    @property
    def broken(self) -> list[ClaimVerdict]:
        """The claims that were not kept."""
        return [verdict for verdict in self.verdicts if verdict.status is Status.BROKEN]

    def with_noops(self, noops: Mapping[str, NDArray[np.float64]]) -> "Verification":
        """Judge `is_noop` by more clips than were measured.

        Args:
            noops: By label, of all clips, as `judged_noops` gives them.
        """
        verdicts = [
            _judge(each.claim, each.label, NOOP, noops[each.label])
            if each.quantity == NOOP and each.label in noops
            else each
            for each in self.verdicts
        ]
        return replace(self, verdicts=tuple(verdicts))

    def record(self) -> dict[str, Any]:
        """Write it as plain data: what was claimed and measured, without the numbers of each clip."""
        verdicts = [
            {
                "label": verdict.label,
                "quantity": verdict.quantity,
                "claimed_low": None if verdict.claim is None else verdict.claim.low,
                "claimed_high": None if verdict.claim is None else verdict.claim.high,
                "median": verdict.median,
                "low": verdict.low,
                "high": verdict.high,
                "n_clips": verdict.n_clips,
                "n_unjudged": verdict.n_unjudged,
                "status": "" if verdict.claim is None else verdict.status.value,
                "complaint": verdict.complaint if verdict.status is Status.BROKEN else "",
            }
            for verdict in self.verdicts
        ]
        return {"sha256": self.sha256, "verdicts": verdicts}


def measure(
    attack: Attack, before: Audio, attacked: Attacked, sample_rate: int, knowledge: Knowledge | None = None
) -> dict[str, NDArray[np.float64]]:
    """Measure a batch before and after an attack.

    Args:
        attack: The attack.
        before: (n, samples) float32.
        attacked: What came out of it.
        sample_rate: Samples per second, in Hz.
        knowledge: What the attack knew.

    Returns:
        By quantity, (n,) float64; NaN where it does not exist:

        - `is_noop`: 1 where a clip came back bit for bit, or merely cut or filled up; else 0.
        - `snr_db`: energy of the clip over energy of the change, +inf where nothing changed; only where the attack
          keeps alignment.
        - `level_change_db`: RMS after over RMS before, -inf where nothing is left.
        - `delay_samples`: lag of the highest cross-correlation, within `MAX_LAG_MS`; only where length is kept.
        - `correlation`: that correlation, negative where the polarity is the other.
        - `own_clip`: 1 where what came out is more like its own clip than like others, else 0.
        - `new_silence_ms`: by how much the longest digital silence grew.
        - `length_samples`: samples that came out.
        - `clipped_percent`: samples that stand at the largest magnitude of the clip or at full scale, in runs.
        - what the attack itself states or measures: `Attack.evidence` and facts such as `bitrate_kbps`.
        - what `profile` measures, for an attack whose bands are known.
    """
    after = attacked.audio
    n = len(before)
    same_length = after.shape == before.shape
    nothing = np.full(n, np.nan)
    max_lag = round(sample_rate * MAX_LAG_MS / 1000)
    aligned = same_length and attack.keeps_alignment
    delay = correlation = nothing
    if same_length and before.shape[1] >= SHORTEST_S * sample_rate:
        delay, correlation = delay_and_correlation(before, after, max_lag)
    beyond = [claim for claim in attack.claims(sample_rate) if claim.quantity == "delay_samples"]
    if any(claim.low > before.shape[1] // 2 for claim in beyond):
        delay = nothing  # what is claimed lies beyond what a clip of this length shows
    banded = {claim.quantity for claim in band_claims(attack)}
    return {
        NOOP: unchanged(attack, before, after).astype(np.float64),
        "snr_db": snr_db(before, after) if aligned else nothing,
        "level_change_db": level_change_db(before, after),
        "delay_samples": delay,
        "correlation": correlation,
        OWN: own_clip(before, after),
        "new_silence_ms": new_silence_ms(before, after, sample_rate),
        "length_samples": np.full(n, float(after.shape[1])),
        "clipped_percent": clipped_percent(after),
        **{name: np.asarray(values, dtype=np.float64) for name, values in attacked.facts.items()},
        **attack.evidence_from(before, attacked, sample_rate, knowledge),
        **_profile(attack, before, after, sample_rate, banded),
    }


def _profile(
    attack: Attack, before: Audio, after: Audio, sample_rate: int, banded: Set[str]
) -> dict[str, NDArray[np.float64]]:
    if not banded:
        return {}
    is_timed = "timing_ms" in banded
    measured = profile(before, after, sample_rate, is_aligned=attack.keeps_alignment, is_timed=is_timed)
    return {name: values for name, values in measured.items() if name in banded}


def unchanged(attack: Attack, before: Audio, after: Audio) -> NDArray[np.bool_]:
    """Tell which clips came back as they were: bit for bit, or merely cut or filled up; (n,)."""
    return is_noop(before, after) if attack.cuts_only else came_back(before, after)


def verify(
    attack: Attack,
    before: Audio,
    attacked: Attacked,
    sample_rate: int,
    *,
    is_marked: NDArray[np.bool_] | None = None,
    knowledge: Knowledge | None = None,
) -> Verification:
    """Measure a batch before and after an attack and hold every claim of the attack against it, label by label.

    Of every attack that is no control it is claimed that it changes its clips (but those that it `leaves_alone`), and
    of every single attack that keeps alignment that it delays nothing and keeps the polarity. What comes out is of the
    clip that went in, and has no new stretch of digital silence. For attacks of which no formula tells all, the bands
    of `profile` are claimed, too. The length was checked when the attack was made.

    Args:
        attack: The attack.
        before: (n, samples) float32, at least one clip.
        attacked: What came out of it.
        sample_rate: Samples per second, in Hz.
        is_marked: (n,) which clips carry a mark; None where that makes no difference: all are judged together, and
            taken to be marked.
        knowledge: What the attack knew, where it `needs_knowledge`; without it, what it claims of that is not judged.

    Raises:
        ValueError: The attack claims a quantity that nobody measures.
    """
    quantities = measure(attack, before, attacked, sample_rate, knowledge)
    claims = attack.claims(sample_rate)
    unknown = {claim.quantity for claim in claims} - quantities.keys()
    if unknown:
        raise ValueError(f"{attack.id} claims {', '.join(sorted(unknown))}, which neither it nor anybody measures.")
    is_unchanged = quantities[NOOP] == 1
    verdicts: list[ClaimVerdict] = []
    for label, chosen in _by_label(len(before), is_marked):
        spared = label == CLEAN and attack.spares_unmarked
        values = {name: numbers[chosen] for name, numbers in quantities.items()}
        values[NOOP] = judged_noops(attack, before[chosen], is_unchanged[chosen], sample_rate, label=label)
        verdicts += _judged(label, _SPARED if spared else claims, _owed(attack, claims, spared=spared), values)
    digest = hashlib.sha256(np.ascontiguousarray(attacked.audio).data).hexdigest()
    return Verification(attack.id, quantities, tuple(verdicts), digest)


def judged_noops(
    attack: Attack, before: Audio, is_unchanged: NDArray[np.bool_], sample_rate: int, *, label: str = ""
) -> NDArray[np.float64]:
    """Say of each clip of a label whether it counts as left alone.

    A clip that the attack `leaves_alone` does not count. But where it rightly leaves more than half of the sounding
    clips alone, they do: 16 bits do nothing to clips of 16 bits, and a cell of such clips tells nothing of the attack.

    Args:
        attack: The attack.
        before: (n, samples) float32.
        is_unchanged: (n,) which came back bit for bit.
        sample_rate: Samples per second, in Hz.
        label: Of the clips.

    Returns:
        (n,) float64: 1 where a clip came back bit for bit, 0 where it did not, NaN where it does not count.
    """
    values = is_unchanged.astype(np.float64)
    if attack.is_control or not is_unchanged.any() or (label == CLEAN and attack.spares_unmarked):
        return values
    alone = before[is_unchanged]
    sounds = ~Attack.leaves_alone(attack, alone, sample_rate)
    excused = attack.leaves_alone(alone, sample_rate) | ~sounds
    if sounds.sum() > 0.5 * (len(before) - len(alone) + sounds.sum()):
        excused = ~sounds
    values[is_unchanged] = np.where(excused, np.nan, 1.0)
    return values


_SPARED = (Claim(NOOP, low=1),)
"""What is claimed of an unmarked clip by an attack that works on the mark alone."""


def _by_label(n: int, is_marked: NDArray[np.bool_] | None) -> Sequence[tuple[str, NDArray[np.bool_]]]:
    if is_marked is None:
        return [("", np.ones(n, dtype=np.bool_))]
    labels = [(CLEAN, ~is_marked), (WATERMARKED, is_marked)]
    return [(label, chosen) for label, chosen in labels if chosen.any()]


def _owed(attack: Attack, claims: Sequence[Claim], *, spared: bool) -> list[Claim]:
    """What is claimed of an attack that does not say otherwise."""
    if spared:
        return []
    owed = [] if attack.is_control else [Claim(NOOP, high=UNCHANGED_SHARE)]
    owed += [_OF_ITS_OWN, *band_claims(attack)]
    if not isinstance(attack, Chain):
        if attack.keeps_alignment:
            owed.append(_ALIGNED)
            if attack.keeps_polarity:
                owed.append(_UPRIGHT)
        if not attack.silences:
            owed.append(_WITHOUT_GAPS)
    said = {claim.quantity for claim in claims}
    return [claim for claim in owed if claim.quantity not in said]


def _judged(
    label: str, claims: Sequence[Claim], owed: Sequence[Claim], values: Mapping[str, NDArray[np.float64]]
) -> list[ClaimVerdict]:
    # A claim without bounds says that the quantity is not what is owed, and no more.
    bounded = [claim for claim in claims if math.isfinite(claim.low) or math.isfinite(claim.high)]
    verdicts = [_judge(claim, label, claim.quantity, values[claim.quantity]) for claim in bounded]
    # What the attack did not claim itself and no clip tells is not called unmeasured.
    extra = [_judge(claim, label, claim.quantity, values[claim.quantity]) for claim in owed]
    verdicts += [verdict for verdict in extra if verdict.status is not Status.UNMEASURED]
    said = {verdict.quantity for verdict in verdicts}
    return verdicts + [_judge(None, label, name, numbers) for name, numbers in values.items() if name not in said]


def _judge(claim: Claim | None, label: str, quantity: str, values: NDArray[np.float64]) -> ClaimVerdict:
    known = values[~np.isnan(values)]
    n_unjudged = values.size - known.size
    if not known.size:
        return ClaimVerdict(claim, quantity, label, math.nan, math.nan, math.nan, 0, n_unjudged, Status.UNMEASURED)
    if quantity in _SHARES:
        known = np.full(known.size, known.mean())
    low, median, high = float(known.min()), float(np.median(known)), float(known.max())
    lowest, highest = (low, high) if claim is not None and claim.every else (median, median)
    kept = claim is None or (claim.low <= lowest and highest <= claim.high)
    status = Status.KEPT if kept else Status.BROKEN
    return ClaimVerdict(claim, quantity, label, median, low, high, known.size, n_unjudged, status)
