"""`sealproof scheme diagnose`: what a scheme's detector decides on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sealproof.detectors.base import Scheme
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.versions import package_versions
from sealproof.harness.studies.diagnosis.finding import Curve, Finding
from sealproof.harness.studies.diagnosis.floors import LIMITS
from sealproof.harness.studies.diagnosis.material import MIN_CLIPS, gather_material
from sealproof.harness.studies.diagnosis.probes import PROBES
from sealproof.harness.studies.diagnosis.verdict import DiagnosisVerdict, judge_findings
from sealproof.harness.training.schemes.clips import CorpusClips

SPLITS = ("test", "validation")


@dataclass(frozen=True, kw_only=True)
class DiagnosisRequest:
    """What is asked of a scheme.

    Attributes:
        n_clips: Clips that are judged, at most.
        split: `test`; or `validation` for choices, so that the test side is looked at once.
        seed: Chooses clips, messages and whatever is drawn.
        probes: Families to ask about; default all.
    """

    n_clips: int = 100
    split: str = "test"
    seed: int = 0
    probes: Sequence[str] = tuple(PROBES)

    def __post_init__(self) -> None:
        """Refuse what cannot be asked."""
        if self.n_clips < MIN_CLIPS:
            raise HarnessError(f"--clips of a diagnosis must be at least {MIN_CLIPS}. Got {self.n_clips}.")
        unknown = sorted(set(self.probes) - set(PROBES))
        if unknown or not self.probes:
            raise HarnessError(f"--probes must be some of {', '.join(PROBES)}. Got {', '.join(unknown) or 'none'}.")


@dataclass(frozen=True)
class Diagnosis:
    """What was found of a scheme.

    Attributes:
        about: Scheme, version, corpus, split, seed, clips, packages.
        findings: By name, in the order in which they were asked.
        curves: For the picture and curves.csv.
        verdict: What it comes to.
    """

    about: Mapping[str, Any]
    findings: Mapping[str, Finding]
    curves: Mapping[str, Curve]
    verdict: DiagnosisVerdict

    @property
    def missed_floors(self) -> list[Finding]:
        """Findings that break a limit that binds."""
        return [
            finding
            for finding in self.findings.values()
            if finding.passes is False and finding.limit is not None and not finding.limit.is_goal
        ]


def diagnose(scheme: Scheme, clips: CorpusClips, request: DiagnosisRequest) -> Diagnosis:
    """Ask every probe about a scheme.

    Args:
        scheme: A scheme that can run here.
        clips: A corpus, split by recording as the scheme's training was told to.
        request: What to ask.

    Raises:
        HarnessError: The corpus has too few clips or recordings.
    """
    material = gather_material(scheme, clips, request.split, request.n_clips, request.seed)
    findings: dict[str, Finding] = {}
    curves: dict[str, Curve] = {}
    for family in request.probes:
        for result in PROBES[family](material):
            if isinstance(result, Curve):
                curves[result.name] = result
            else:
                findings[result.name] = replace(result, limit=LIMITS.get(result.name))
    about = {
        "scheme": scheme.name,
        "version": scheme.version,
        "weights_sha256": scheme.weights_sha256,
        "threshold": scheme.detector.threshold,
        "corpus": dict(clips.description),
        "split": request.split,
        "seed": request.seed,
        "clips": material.n,
        "clips_marked": len(material.host),
        "recordings": len(np.unique(material.codes[: material.n])),
        "packages": package_versions(),
    }
    return Diagnosis(about, findings, curves, judge_findings(findings))
