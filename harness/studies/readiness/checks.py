"""Everything that is tried, quick things first."""

import warnings
from functools import partial
from importlib import import_module

import numpy as np

from sealproof.attacks import AttackError, attack_class, list_attacks
from sealproof.detectors import DetectorError, get_scheme, list_schemes
from sealproof.detectors.mimics.keras_runtime import import_keras
from sealproof.harness.corpora.musiccaps.youtube import readiness as musiccaps
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.matrix.quality import perceptual
from sealproof.harness.studies.readiness.check import Check, State
from sealproof.harness.studies.readiness.clips import RATE, known, music
from sealproof.harness.studies.readiness.mending import install_command, installed, modules_of, requirements
from sealproof.harness.training.mimics import export_onnx
from sealproof.harness.training.mimics.trained import all_shipped

PACKAGES, SCHEME, ATTACKS, MIMICS = "packages", "scheme", "attacks", "mimics"
QUALITY, MUSICCAPS, EXPORT = "quality", "musiccaps", "export"
KINDS = (PACKAGES, SCHEME, ATTACKS, MIMICS, QUALITY, MUSICCAPS, EXPORT)
"""In the order in which they are reported."""


def all_checks() -> list[Check]:
    """Return what there is to try on this machine, in the order in which it is tried."""
    return [
        *(Check(PACKAGES, each.name, partial(_requirement, each.name)) for each in requirements()),
        *(Check(ATTACKS, name, partial(_attack, name)) for name in list_attacks()),
        *(Check(MUSICCAPS, need.name, partial(_fetching, need)) for need in musiccaps.fetch_requirements()),
        *(Check(QUALITY, name, partial(_quality, name)) for name in perceptual.PERCEPTUAL_METRICS),
        *(Check(SCHEME, name, partial(_scheme, name)) for name in list_schemes()),
        *(Check(MIMICS, name, partial(_mimic, name)) for name in all_shipped()),
        *(Check(EXPORT, name, partial(_exporter, name)) for name in export_onnx.PACKAGES),
    ]


def _requirement(name: str) -> tuple[State, str]:
    """Import a package, and hold its version against what sealproof requires: it was tested in these."""
    wanted = next(each for each in requirements() if each.name == name)
    version = installed(name)
    if version is None:
        raise HarnessError(
            f"sealproof needs {name}{wanted.specifier}, which is not installed. Run: {install_command(name)}"
        )
    for module in modules_of(name):
        if module in ("keras", "tensorflow"):
            import_keras()
            continue
        with warnings.catch_warnings():
            # What packages say of each other at import is for their makers.
            warnings.simplefilter("ignore")
            import_module(module)
    if wanted.specifier.contains(version, prereleases=True):
        return State.READY, version
    return State.UNTESTED, f"{name} {version} is here. Run: pip install '{name}{wanted.specifier}'"


def _scheme(name: str) -> tuple[State, str]:
    """Mark a clip and have it found: a scheme whose library is broken shows only then."""
    scheme = get_scheme(name)
    reason = scheme.unavailable()
    if reason is not None:
        return State.ABSENT, reason
    watermarker, detector = scheme.watermarker, scheme.detector
    clean = music(sample_rate=watermarker.sample_rate)
    marked = watermarker.embed(clean, np.zeros((1, watermarker.message_bits), np.uint8))
    before, after = detector.detect(np.concatenate([clean, marked])).score
    if not after > before:
        raise DetectorError(
            f"{name} must give a marked clip a higher score than the same clip unmarked. Got {after:g} and {before:g}"
        )
    return State.READY, f"scores {after:.2f} marked, {before:.2f} unmarked; version {scheme.version}"


def _attack(name: str) -> tuple[State, str]:
    """Attack a clip at every standard strength: an encoder that is missing shows only then."""
    cls = attack_class(name)
    reason = cls.unavailable()
    if reason is not None:
        if cls.is_optional:
            return State.ABSENT, reason
        raise AttackError(reason)
    attacks = cls.standard()
    knowledge = known() if cls.needs_knowledge else None
    for attack in attacks:
        attack(music(), RATE, [0], knowledge)
    return State.READY, f"{len(attacks)} strengths"


def _mimic(name: str) -> tuple[State, str]:
    """Score a clip with a mimic that ships."""
    keras = import_keras()
    score = all_shipped()[name].detector().detect(music()).score[0]
    return State.READY, f"scores {score:.2f} unmarked; keras {keras.__version__} on tensorflow"


def _quality(name: str) -> tuple[State, str]:
    """Measure a clip: a package that was built for another machine shows only then."""
    reason = perceptual.missing_package(name)
    if reason is not None:
        return State.ABSENT, reason
    perceptual.check_metrics([name])
    return State.READY, f"{perceptual.perceptual_quality(name, music(), music(), RATE)[0]:.2f} for equal clips"


def _fetching(need: musiccaps.FetchRequirement) -> tuple[State, str]:
    """Pass on what is known of a thing that fetching MusicCaps needs."""
    if need.is_broken:
        raise HarnessError(need.state)
    return State.READY if need.is_here else State.ABSENT, need.state


def _exporter(name: str) -> tuple[State, str]:
    """Import a package that exports mimics."""
    if name in export_onnx.missing_packages():
        return State.ABSENT, "pip install 'sealproof[onnx]'"
    # tf2onnx imports tensorflow, which is to be quiet about it.
    import_keras()
    export_onnx.import_package(name)
    return State.READY, str(getattr(import_module(name), "__version__", ""))
