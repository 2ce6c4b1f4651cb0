"""What can run here, what cannot and why."""

import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sealproof.attacks import attack_class, list_attacks
from sealproof.attacks.contract.base import AttackError, Audio
from sealproof.attacks.contract.knowledge import Knowledge
from sealproof.attacks.testing import toy_knowledge
from sealproof.detectors import get_scheme, list_schemes
from sealproof.harness.corpora.musiccaps.youtube import readiness
from sealproof.harness.foundation.versions import package_versions


def diagnose() -> Iterator[str]:
    """Yield the lines of a report on machine, packages, schemes, what MusicCaps needs, and attacks.

    Every attack is run once on a short clip, so that a codec without an encoder shows here and not in a long run.
    """
    free_gb = shutil.disk_usage(Path.cwd()).free / 1e9
    yield f"machine    {platform.platform()}, {os.cpu_count()} cores, {free_gb:.0f} GB free here"
    yield "packages   " + ", ".join(f"{name} {version}" for name, version in package_versions().items())
    for name in list_schemes():
        scheme = get_scheme(name)
        reason = scheme.unavailable()
        state = f"ready, version {scheme.version}" if reason is None else f"NOT AVAILABLE: {reason}"
        yield f"scheme     {name}: {state}"
    yield from readiness.lines()
    clip = 0.1 * np.random.default_rng(0).standard_normal((1, 16_000)).astype(np.float32)
    knowledge = toy_knowledge(np.zeros_like(clip))
    for name in list_attacks():
        yield f"attack     {name}: {_try(name, clip, knowledge)}"


def _try(name: str, clip: Audio, knowledge: Knowledge) -> str:
    reason = attack_class(name).unavailable()
    if reason is not None:
        return f"NOT AVAILABLE: {reason}"
    attacks = attack_class(name).standard()
    try:
        for attack in attacks:
            attack(clip, 16_000, [0], knowledge)
    except (AttackError, ImportError, OSError) as error:
        return f"NOT AVAILABLE: {error}"
    return f"ready, {len(attacks)} strengths"
