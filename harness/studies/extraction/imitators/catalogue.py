"""All imitators by name."""

from sealproof.detectors.base import Scheme
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.studies.extraction.imitators.base import Imitator
from sealproof.harness.studies.extraction.imitators.inside import Probe, Seanet
from sealproof.harness.studies.extraction.imitators.linear import Coherence, Folded, LogSpectrum, Tone
from sealproof.harness.studies.extraction.imitators.neighbours import Neighbours
from sealproof.harness.studies.extraction.imitators.networks import (
    ShippedCnn,
    Spectrogram1024,
    Spectrogram4096,
    Spectrogram16000,
    WaveformImitator,
    WideCnn,
)

IMITATORS: dict[str, type[Imitator]] = {
    each.name: each
    for each in (
        ShippedCnn,
        WideCnn,
        WaveformImitator,
        Spectrogram1024,
        Spectrogram4096,
        Spectrogram16000,
        Tone,
        Folded,
        Coherence,
        LogSpectrum,
        Neighbours,
        Seanet,
        Probe,
    )
}
"""By name, from those that know clips and answers to those that know the detector's inside."""


def get_imitator(name: str, scheme: Scheme) -> Imitator:
    """Return an imitator by name.

    Raises:
        HarnessError: There is none of this name.
    """
    if name not in IMITATORS:
        raise HarnessError(f"--imitators must be some of {', '.join(IMITATORS)}. Got {name}.")
    return IMITATORS[name](scheme)
