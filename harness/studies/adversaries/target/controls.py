"""Controls: changes of the same SNR that know nothing. What they reach is no achievement of an adversary."""

from collections.abc import Sequence

import numpy as np

from sealproof.attacks.adversarial.contract.budget import norms
from sealproof.attacks.adversarial.contract.oracle import Floats

WHITE_NOISE, SCRAMBLED, OTHER_CLIP = "white_noise", "scrambled_phases", "other_clip"
CONTROLS = (WHITE_NOISE, SCRAMBLED, OTHER_CLIP)
"""White noise; the change itself with its phases dealt out anew, so that only its spectrum is left; and the change that
was made for another clip, which has everything but the clip."""


def control_changes(changes: Floats, levels: Floats, rngs: Sequence[np.random.Generator]) -> dict[str, Floats]:
    """Return controls beside changes (n, samples), each as long as `levels` (n,) says.

    Args:
        changes: What the adversary added; zero where it added nothing, which has no control but noise.
        levels: Euclidean lengths.
        rngs: One a clip.
    """
    n_samples = changes.shape[1]
    noise = np.stack([rng.standard_normal(n_samples) for rng in rngs])
    spectrum = np.abs(np.fft.rfft(changes))
    angles = np.exp(2j * np.pi * np.stack([rng.random(spectrum.shape[1]) for rng in rngs]))
    scrambled = np.fft.irfft(spectrum * angles, n_samples)
    # Half a block away: neighbours may be of one recording.
    other = np.roll(changes, max(1, len(changes) // 2), axis=0) if len(changes) > 1 else np.zeros_like(changes)
    return {
        name: made / np.maximum(norms(made), 1e-30)[:, None] * levels[:, None]
        for name, made in ((WHITE_NOISE, noise), (SCRAMBLED, scrambled), (OTHER_CLIP, other))
    }
