"""The questions a diagnosis asks, a family a module, in the order in which they are told."""

from collections.abc import Callable, Iterator, Mapping

from sealproof.harness.studies.diagnosis.finding import Curve, Finding
from sealproof.harness.studies.diagnosis.material import Material
from sealproof.harness.studies.diagnosis.probes.alignment import alignment
from sealproof.harness.studies.diagnosis.probes.audibility import hearing
from sealproof.harness.studies.diagnosis.probes.bands import bands
from sealproof.harness.studies.diagnosis.probes.linear import linear
from sealproof.harness.studies.diagnosis.probes.lookalikes import lookalikes
from sealproof.harness.studies.diagnosis.probes.mean_mark import mean_mark
from sealproof.harness.studies.diagnosis.probes.sounds.probe import sounds
from sealproof.harness.studies.diagnosis.probes.spectrum import spectrum
from sealproof.harness.studies.diagnosis.probes.standing import standing
from sealproof.harness.studies.diagnosis.probes.timing import timing
from sealproof.harness.studies.diagnosis.probes.waveform import waveform

Probe = Callable[[Material], Iterator[Finding | Curve]]

PROBES: Mapping[str, Probe] = {
    "standing": standing,
    "sounds": sounds,
    "bands": bands,
    "spectrum": spectrum,
    "waveform": waveform,
    "mean_mark": mean_mark,
    "lookalikes": lookalikes,
    "linear": linear,
    "alignment": alignment,
    "timing": timing,
    "audibility": hearing,
}
"""By family: what a probe yields is named `family.what`."""
