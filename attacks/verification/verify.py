"""Does an attack do what it states? Measures attacked audio and holds every claim against it."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.contract.base import Attack, Attacked, Audio
from sealproof.attacks.contract.chain import Chain
from sealproof.attacks.contract.claims import Claim
from sealproof.attacks.verification.measure import clipped_percent, is_noop, lag_samples, level_change_db, snr_db

MAX_LAG_MS = 100.0
"""Largest delay that is looked for, in ms: an AAC frame is 64 ms at 16 kHz."""

_ALIGNED = Claim("delay_samples", -1, 1)
_EFFECTIVE = Claim("changed_percent", low=50)
"""Most clips must change: one that is silent may have nothing for an attack to change."""


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
        median: Over the clips that could be measured; NaN if none could.
        low: Smallest of them.
        high: Largest of them.
        n_clips: Their number.
        status: Whether the claim was kept; `unmeasured` where no clip allows the measurement (silence).
    """

    claim: Claim | None
    quantity: str
    median: float
    low: float
    high: float
    n_clips: int
    status: Status

    @property
    def complaint(self) -> str:
        """What is wrong, in words."""
        asked = "" if self.claim is None else self.claim.describe()
        return f"{self.quantity} must be {asked}. Measured {self.median:.4g} ({self.low:.4g} to {self.high:.4g})."


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

    def record(self) -> dict[str, Any]:
        """Write it as plain data: what was claimed and measured, without the numbers of each clip."""
        verdicts = [
            {
                "quantity": verdict.quantity,
                "claimed_low": None if verdict.claim is None else verdict.claim.low,
                "claimed_high": None if verdict.claim is None else verdict.claim.high,
                "median": verdict.median,
                "low": verdict.low,
                "high": verdict.high,
                "n_clips": verdict.n_clips,
                "status": "" if verdict.claim is None else verdict.status.value,
                "complaint": verdict.complaint if verdict.status is Status.BROKEN else "",
            }
            for verdict in self.verdicts
        ]
        return {"sha256": self.sha256, "verdicts": verdicts}


def measure(attack: Attack, before: Audio, attacked: Attacked, sample_rate: int) -> dict[str, NDArray[np.float64]]:
    """Measure a batch before and after an attack.

    Args:
        attack: The attack.
        before: (n, samples) float32.
        attacked: What came out of it.
        sample_rate: Samples per second, in Hz.

    Returns:
        By quantity, (n,) float64; NaN where it does not exist:

        - `snr_db`: energy of the clip over energy of the change; only where the attack keeps alignment.
        - `level_change_db`: RMS after over RMS before.
        - `delay_samples`: lag of the highest cross-correlation, within `MAX_LAG_MS`; only where length is kept.
        - `length_samples`: samples that came out.
        - `clipped_percent`: samples that stand at the largest magnitude of the clip or at full scale, in runs.
        - `changed_percent`: 100 where anything changed, else 0.
        - what the attack itself states or measures: `Attack.evidence` and facts such as `bitrate_kbps`.
    """
    after = attacked.audio
    n, samples = before.shape
    same_length = after.shape == before.shape
    nothing = np.full(n, np.nan)
    max_lag = min(round(sample_rate * MAX_LAG_MS / 1000), samples - 1)
    aligned = same_length and attack.keeps_alignment
    return {
        "snr_db": _finite(snr_db(before, after)) if aligned else nothing,
        "level_change_db": _finite(level_change_db(before, after)),
        "delay_samples": lag_samples(before, after, max_lag) if same_length else nothing,
        "length_samples": np.full(n, float(after.shape[1])),
        "clipped_percent": clipped_percent(after),
        "changed_percent": np.where(is_noop(before, after), 0.0, 100.0),
        **{name: np.asarray(values, dtype=np.float64) for name, values in attacked.facts.items()},
        **attack.evidence(before, after, sample_rate),
    }


def verify(attack: Attack, before: Audio, attacked: Attacked, sample_rate: int) -> Verification:
    """Measure a batch before and after an attack and hold every claim of the attack against it.

    That something changed is claimed for every attack that is no control, and no delay for every single attack that
    keeps alignment. The length was checked when the attack was made.

    Args:
        attack: The attack.
        before: (n, samples) float32, at least one clip.
        attacked: What came out of it.
        sample_rate: Samples per second, in Hz.

    Raises:
        ValueError: The attack claims a quantity that nobody measures.
    """
    quantities = measure(attack, before, attacked, sample_rate)
    claims = [*attack.claims(sample_rate)]
    claimed = {claim.quantity for claim in claims}
    if not attack.is_control:
        claims.append(_EFFECTIVE)
    if attack.keeps_alignment and "delay_samples" not in claimed and not isinstance(attack, Chain):
        claims.append(_ALIGNED)
    unknown = claimed - quantities.keys()
    if unknown:
        raise ValueError(f"{attack.id} claims {', '.join(sorted(unknown))}, which neither it nor anybody measures.")
    verdicts = [_judge(claim, claim.quantity, quantities[claim.quantity]) for claim in claims]
    said = {claim.quantity for claim in claims}
    verdicts += [_judge(None, name, values) for name, values in quantities.items() if name not in said]
    digest = hashlib.sha256(np.ascontiguousarray(attacked.audio).data).hexdigest()
    return Verification(attack.id, quantities, tuple(verdicts), digest)


def _judge(claim: Claim | None, quantity: str, values: NDArray[np.float64]) -> ClaimVerdict:
    known = values[~np.isnan(values)]
    if not known.size:
        return ClaimVerdict(claim, quantity, math.nan, math.nan, math.nan, 0, Status.UNMEASURED)
    low, median, high = float(known.min()), float(np.median(known)), float(known.max())
    lowest, highest = (low, high) if claim is not None and claim.every else (median, median)
    kept = claim is None or (claim.low <= lowest and highest <= claim.high)
    return ClaimVerdict(claim, quantity, median, low, high, known.size, Status.KEPT if kept else Status.BROKEN)


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isfinite(values), values, np.nan)
