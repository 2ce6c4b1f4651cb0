"""Imitators that know the detector's inside: its architecture, or what its encoder makes of a clip."""

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sealproof.detectors.audioseal.nets import build_net, load_net, uncompiled
from sealproof.detectors.audioseal.scheme import AudioSealTypeScheme
from sealproof.detectors.base import Audio
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.progress import progress
from sealproof.harness.statistics.estimation.vectors import Floats
from sealproof.harness.studies.extraction.imitators.base import Imitator, Judgement, Lesson
from sealproof.harness.studies.linear.logistic import fit_logistic
from sealproof.harness.training.schemes.hearing import frame_logits

if TYPE_CHECKING:
    import torch

_BLOCK = 16
"""Clips in one forward pass."""

_TWINS_PER_STEP, _ALTERED_PER_STEP = 6, 12
_RATE = 1e-3
_MAX_GRADIENT = 2.0
_RIDGE = 10.0


class _OfAudioSealsKind(Imitator):
    def _require_kind(self) -> AudioSealTypeScheme:
        if not isinstance(self.scheme, AudioSealTypeScheme):
            raise HarnessError(
                f"The imitator {self.name} must know a detector of AudioSeal's kind. Got {self.scheme.name}."
            )
        return self.scheme


class Seanet(_OfAudioSealsKind):
    """The detector's own architecture from a fresh initialisation: what is lost is not the fault of the network."""

    name: ClassVar[str] = "seanet"
    summary: ClassVar[str] = "the detector's own architecture, freshly initialised"
    knows: ClassVar[str] = "architecture"
    takes_steps: ClassVar[bool] = True

    def fit(self, lesson: Lesson, *, steps: int, seed: int) -> Judgement:
        """Train on the frames' targets, with Adam and a rate that falls along half a cosine."""
        import torch

        config = self._require_kind().net("detector").config
        torch.manual_seed(seed)
        rng = np.random.default_rng(seed)
        net = build_net("detector", config).train()
        optimizer = torch.optim.Adam(net.parameters(), lr=_RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        with uncompiled():
            for _ in progress(range(steps), f"training {self.name}"):
                audio, targets = _draw(lesson, rng)
                logits = frame_logits(net, torch.from_numpy(audio)[:, None])
                loss = torch.nn.functional.binary_cross_entropy_with_logits(
                    logits[:, 1] - logits[:, 0], torch.from_numpy(targets)
                )
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(net.parameters(), _MAX_GRADIENT, error_if_nonfinite=True)
                optimizer.step()
                schedule.step()
        net.eval()

        def judge(audio: Audio) -> NDArray[np.floating]:
            def score(part: "torch.Tensor") -> "torch.Tensor":
                logits = frame_logits(net, part)
                return torch.sigmoid(logits[:, 1] - logits[:, 0]).mean(dim=1)

            return _in_blocks(score, audio)

        return judge


class Probe(_OfAudioSealsKind):
    """Logistic regression on the detector's hidden states: what can be read off its inside with so many answers."""

    name: ClassVar[str] = "probe"
    summary: ClassVar[str] = "logistic regression on mean and deviation of the detector's hidden states"
    knows: ClassVar[str] = "weights"

    def fit(self, lesson: Lesson, *, steps: int, seed: int) -> Judgement:
        """Learn."""
        del steps, seed
        encoder = load_net(self._require_kind().net("detector")).detector[0].model

        def hidden(part: "torch.Tensor") -> "torch.Tensor":
            import torch

            states = encoder(part)
            return torch.cat([states.mean(dim=2), states.std(dim=2)], dim=1)

        def features(audio: Audio) -> Floats:
            return _in_blocks(hidden, audio).astype(np.float64)

        learnt = fit_logistic(lesson.features(features), lesson.targets, _RIDGE)
        return lambda audio: learnt.probabilities(features(audio))


def _draw(lesson: Lesson, rng: np.random.Generator) -> tuple[Audio, NDArray[np.float32]]:
    twins, altered = lesson.twins, lesson.altered
    n_twins = _TWINS_PER_STEP if len(altered.audio) else _TWINS_PER_STEP + _ALTERED_PER_STEP // 2
    pairs = rng.integers(len(twins.audio) // 2, size=n_twins)
    both = np.stack([2 * pairs, 2 * pairs + 1], axis=1).ravel()
    asked = rng.integers(len(altered.audio), size=_ALTERED_PER_STEP) if len(altered.audio) else np.zeros(0, np.intp)
    audio = np.concatenate([twins.audio[both].astype(np.float32), altered.audio[asked].astype(np.float32)])
    return audio, np.concatenate([twins.targets[both], altered.targets[asked]])


def _in_blocks(function: Any, audio: Audio) -> NDArray[np.floating]:
    import torch

    with torch.inference_mode(), uncompiled():
        parts = [
            function(torch.from_numpy(np.array(audio[at : at + _BLOCK, None], np.float32))).numpy()
            for at in range(0, len(audio), _BLOCK)
        ]
    return np.concatenate(parts)
