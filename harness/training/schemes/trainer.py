"""The training loop of a generator and detector: resumable, and the same for the same recipe, clips and threads."""

import copy
import csv
import io
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sealproof.detectors.audioseal.net_file import Net
from sealproof.detectors.audioseal.nets import build_net, uncompiled
from sealproof.harness.foundation.audio.files import SAMPLE_RATE
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.files import sha256_json, write_atomically, write_text
from sealproof.harness.training.schemes.augment import PERTURBATIONS, draw
from sealproof.harness.training.schemes.clips import draw_batch, draw_varied, draw_without_music
from sealproof.harness.training.schemes.initialise import initialise_matched, tune_in
from sealproof.harness.training.schemes.masking import shape_loss, visible_loss
from sealproof.harness.training.schemes.recipe import Recipe

if TYPE_CHECKING:
    import torch

LOG_EVERY = 50
SAVE_EVERY = 250
_CHECKPOINT = "checkpoint.training"
_LOG = "training.csv"

_SUB_BATCH = 4
"""Marked clips that share a perturbation."""

_MAX_SHIFT = 320
"""One step of the networks: from there on a shift repeats itself."""

_WARM_UP_STEPS = 100
_AVERAGE = 0.998
"""The weights that are kept are a moving average over about 500 steps."""

_MAX_GRADIENT = 2.0
_QUIET_DB = 1.5
"""How much quieter than asked a watermark may be before that costs something: quiet is good, but it is fragile."""

_WITHOUT_MUSIC = 0.3
"""Share of the steps in which one clean clip is silence, noise or a tone."""

_SILENT_LABELS = ("polarity", "speed")
"""Perturbations under which only the presence of the mark is asked for, not its message."""


@dataclass(frozen=True)
class Step:
    """What one update saw, averaged over the steps since the last one that was logged."""

    step: int
    seconds: float
    values: dict[str, float]


class Trainer:
    """A pair in training.

    Args:
        recipe: What it shall be.
        pcm: Training clips, int16, shape (n, samples), at 16 kHz.
        folder: Where checkpoint and log are kept; a training of the same recipe and clips that was interrupted there
            is taken up again.

    Raises:
        HarnessError: The folder holds another training.
    """

    def __init__(self, recipe: Recipe, pcm: NDArray[np.int16], folder: Path) -> None:
        import torch

        self.recipe = recipe
        self.step = 0
        self.seconds = 0.0
        self._pcm = pcm
        self._window = round(recipe.window_s * SAMPLE_RATE)
        self._folder = folder
        if self._window + _MAX_SHIFT > pcm.shape[1]:
            longest = (pcm.shape[1] - _MAX_SHIFT) / SAMPLE_RATE
            msg = f"The window_s of a recipe must be at most {longest:g} for these clips. Got {recipe.window_s:g}."
            raise HarnessError(msg)
        self._key = sha256_json([recipe.as_dict(), _digest(pcm)])
        self._log: list[dict[str, float]] = []
        self._rng = np.random.default_rng(recipe.seed)
        torch.manual_seed(recipe.seed)
        self.generator = build_net("generator", recipe.net_config("generator"))
        self.detector = build_net("detector", recipe.net_config("detector"))
        initialise_matched(self.generator, self.detector)
        self._tuned_in = False
        self._parameters = [*self.generator.parameters(), *self.detector.parameters()]
        self._optimizer = torch.optim.Adam(self._parameters, lr=recipe.learning_rate, betas=(0.9, 0.99))
        self._average = (copy.deepcopy(self.generator), copy.deepcopy(self.detector))
        if (folder / _CHECKPOINT).is_file():
            self._resume()

    def run(self) -> Iterator[Step]:
        """Trains to the end of the recipe; yields every `LOG_EVERY` steps.

        Interrupted at any point, at most `SAVE_EVERY` steps are lost.
        """
        started = time.monotonic() - self.seconds
        seen: dict[str, list[float]] = {}
        with uncompiled():
            if not self._tuned_in:
                self._tune_in()
            while self.step < self.recipe.all_steps:
                self.step += 1
                update = self._update if self.step <= self.recipe.steps else self._listen
                for name, value in update().items():
                    seen.setdefault(name, []).append(value)
                self.seconds = time.monotonic() - started
                if self.step % LOG_EVERY == 0 or self.step == self.recipe.all_steps:
                    # In a step in which no message was asked for, its accuracy is not a number.
                    means = {name: _mean(values) for name, values in seen.items()}
                    self._log.append({"step": self.step, "seconds": round(self.seconds, 1), **means})
                    seen.clear()
                    yield Step(self.step, self.seconds, means)
                if self.step % SAVE_EVERY == 0 or self.step == self.recipe.all_steps:
                    self._save()

    def nets(self) -> tuple[Net, Net]:
        """Returns generator and detector as they are now, averaged over the last steps."""
        source = f"trained by sealproof: recipe {self.recipe.name}, seed {self.recipe.seed}, step {self.step}"
        generator, detector = self._average
        return (
            Net("generator", self.recipe.net_config("generator"), generator.state_dict(), source),
            Net("detector", self.recipe.net_config("detector"), detector.state_dict(), source),
        )

    @property
    def log(self) -> list[dict[str, float]]:
        """One row for every `LOG_EVERY` steps: step, seconds, and means of the parts of the loss and of what it saw."""
        return list(self._log)

    def _tune_in(self) -> None:
        def hosts() -> "torch.Tensor":
            import torch

            return torch.from_numpy(draw_batch(self._pcm, self.recipe.batch, self._window, self._rng))

        tune_in(self.generator, hosts, self.recipe.tune_in_steps)
        self._average[0].load_state_dict(self.generator.state_dict())
        self._tuned_in = True

    def _update(self) -> dict[str, float]:
        import torch
        from torch.nn import functional

        recipe, strength = self.recipe, self.recipe.strength
        for group in self._optimizer.param_groups:
            group["lr"] = self._learning_rate()
        samples = self._window
        host = torch.from_numpy(draw_batch(self._pcm, recipe.batch, samples + _MAX_SHIFT, self._rng))
        bits = recipe.net.message_bits
        message = torch.from_numpy(self._rng.integers(0, 2, (recipe.batch, bits)))
        raw = self.generator.get_watermark(host, message=message)
        ramp = min(1.0, self.step / strength.ramp_steps)
        target_db = strength.start_snr_db + ramp * (strength.snr_db - strength.start_snr_db)
        snr_db = _snr_db(host, raw)
        too_quiet = (snr_db - target_db) * (math.log(10) / 20)
        watermark = raw * torch.exp(too_quiet * self._scaling())[:, None, None]
        level = (2 * functional.relu(-too_quiet) + functional.relu(too_quiet - _QUIET_DB * math.log(10) / 20)).mean()
        shape = shape_loss(host, watermark, target_db)
        visible = visible_loss(host, watermark, strength.unseen_db)
        seen = self._perturbed(host, watermark, samples, n_clean=_SUB_BATCH // 2)
        logits = frame_logits(self.detector, seen.audio)
        detection, message_loss, observed = _decode_losses(logits, seen, message)
        weights = recipe.weights_at(self.step)
        loss = (
            weights.detection * detection
            + weights.message * message_loss
            + weights.shape * shape
            + weights.visible * visible
            + weights.level * level
        )
        self._optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._parameters, _MAX_GRADIENT, error_if_nonfinite=True)
        self._optimizer.step()
        self._update_average([0, 1])
        return {
            "loss": loss.item(),
            "detection_loss": detection.item(),
            "message_loss": message_loss.item(),
            "shape_loss": shape.item(),
            "level_loss": level.item(),
            "snr_db": snr_db.median().item(),
            **observed,
        }

    def _listen(self) -> dict[str, float]:
        """Updates the detector alone, on the finished generator's marks in varied hosts, with as many clean clips."""
        import torch

        recipe, listening = self.recipe, self.recipe.listening
        passed = (self.step - recipe.steps) / listening.steps
        for group in self._optimizer.param_groups:
            group["lr"] = listening.learning_rate * (0.97 * 0.5 * (1 + math.cos(math.pi * passed)) + 0.03)
        drawn = draw_varied(self._pcm, recipe.batch, self._window + _MAX_SHIFT, listening.fastest, self._rng)
        host = torch.from_numpy(drawn)
        message = torch.from_numpy(self._rng.integers(0, 2, (recipe.batch, recipe.net.message_bits)))
        with torch.no_grad():
            watermark = self._average[0].get_watermark(host, message=message)
            seen = self._perturbed(host, watermark, self._window, n_clean=_SUB_BATCH)
        detection, message_loss, observed = _decode_losses(frame_logits(self.detector, seen.audio), seen, message)
        loss = recipe.weights.detection * detection + recipe.weights.message * message_loss
        self._optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.detector.parameters(), _MAX_GRADIENT, error_if_nonfinite=True)
        self._optimizer.step()
        self._update_average([1])
        return {
            "loss": loss.item(),
            "detection_loss": detection.item(),
            "message_loss": message_loss.item(),
            "shape_loss": math.nan,
            "level_loss": math.nan,
            "snr_db": _snr_db(host, watermark).median().item(),
            **observed,
        }

    def _learning_rate(self) -> float:
        cosine = 0.5 * (1 + math.cos(math.pi * self.step / self.recipe.steps))
        return self.recipe.learning_rate * min(1.0, self.step / _WARM_UP_STEPS) * (0.97 * cosine + 0.03)

    def _scaling(self) -> float:
        """How far each watermark is scaled to its target: 1 at first, 0 once the generator is on its own."""
        strength = self.recipe.strength
        return 1 - min(1.0, max(0.0, (self.step - strength.free_from) / (strength.free_at - strength.free_from)))

    def _perturbed(self, host: "torch.Tensor", watermark: "torch.Tensor", samples: int, n_clean: int) -> "_Seen":
        """Marks the clips, one in four of them only outside a gap, cuts and perturbs them beside clean ones.

        There are `n_clean` of these to each `_SUB_BATCH` of marked ones.
        """
        import torch

        recipe, rng = self.recipe, self._rng
        marked_where = torch.ones_like(host)
        for clip in range(0, recipe.batch, 4):
            start = int(rng.integers(samples // 2))
            marked_where[clip, :, start : start + int(rng.integers(samples // 4, samples // 2))] = 0
        marked = host + watermark * marked_where
        shift = recipe.shift
        shift_share = shift.share * min(1.0, max(0.0, (self.step - shift.start) / (shift.full_at - shift.start)))
        audio: tuple[list[torch.Tensor], list[torch.Tensor]] = ([], [])
        where, message_weight = [], []
        for start in range(0, recipe.batch, _SUB_BATCH):
            part = slice(start, start + _SUB_BATCH)
            name = draw(recipe.perturbations, rng) if self.step > recipe.perturb_from else "none"
            late = int(rng.integers(1, _MAX_SHIFT)) if rng.random() < shift_share else 0
            cut = slice(late, late + samples)
            both = torch.cat([marked[part], host[start : start + n_clean]])[..., cut]
            heard = PERTURBATIONS[name](both, rng)
            audio[0].append(heard[:_SUB_BATCH])
            audio[1].append(heard[_SUB_BATCH:])
            where.append(marked_where[part][..., cut])
            asked = 0.0 if name in _SILENT_LABELS else shift.message_weight if late else 1.0
            message_weight += [asked] * _SUB_BATCH
        clean = torch.cat(audio[1])
        if rng.random() < _WITHOUT_MUSIC:
            clean = clean.clone()
            clean[int(rng.integers(len(clean)))] = torch.from_numpy(draw_without_music(samples, rng))
        return _Seen(torch.cat([*audio[0], clean]), torch.cat(where), torch.tensor(message_weight, dtype=torch.float32))

    def _update_average(self, which: Sequence[int]) -> None:
        """Moves the kept weights of the generator (0) and the detector (1) towards those of now."""
        import torch

        share = 1 - min(_AVERAGE, self.step / (self.step + 10))
        nets = (self.generator, self.detector)
        with torch.no_grad():
            for index in which:
                for mean, now in zip(self._average[index].parameters(), nets[index].parameters(), strict=True):
                    mean.lerp_(now, share)

    def _save(self) -> None:
        import torch

        state = {
            "key": self._key,
            "step": self.step,
            "seconds": self.seconds,
            "nets": [net.state_dict() for net in (self.generator, self.detector, *self._average)],
            "optimizer": self._optimizer.state_dict(),
            "numpy_rng": json.dumps(self._rng.bit_generator.state),
            "torch_rng": torch.get_rng_state(),
            "log": json.dumps(self._log),
        }
        write_text(self._folder / _LOG, _as_csv(self._log))
        write_atomically(self._folder / _CHECKPOINT, lambda file: torch.save(state, file))

    def _resume(self) -> None:
        import pickle

        import torch

        path = self._folder / _CHECKPOINT
        try:
            state: dict[str, Any] = torch.load(path, weights_only=True)
            if state["key"] != self._key:
                msg = f"{path} belongs to another recipe, seed or corpus. Choose another --out, or delete the folder."
                raise HarnessError(msg)
            for net, weights in zip((self.generator, self.detector, *self._average), state["nets"], strict=True):
                net.load_state_dict(weights)
            self._optimizer.load_state_dict(state["optimizer"])
            self._rng.bit_generator.state = json.loads(state["numpy_rng"])
            torch.set_rng_state(state["torch_rng"])
            self._tuned_in = True  # a checkpoint is written only after that
            self.step, self.seconds, self._log = state["step"], state["seconds"], json.loads(state["log"])
        except (pickle.UnpicklingError, RuntimeError, EOFError, LookupError, TypeError, ValueError) as error:
            if isinstance(error, HarnessError):
                raise
            msg = f"{path} must be a checkpoint of this command. Got {type(error).__name__}: delete it to start anew."
            raise HarnessError(msg) from error


@dataclass(frozen=True)
class _Seen:
    """What the detector gets in one step.

    Attributes:
        audio: Marked clips, then clean ones, shape (n, 1, samples).
        where: 1 where a clip carries the mark, for the marked clips only.
        message_weight: How much each marked clip's message counts.
    """

    audio: "torch.Tensor"
    where: "torch.Tensor"
    message_weight: "torch.Tensor"


def frame_logits(detector: Any, audio: "torch.Tensor") -> "torch.Tensor":
    """Returns the detector's logits once for each step of 20 ms, not for each sample.

    The last, upsampling layer starts with all its positions alike and they get the same gradients, so they stay alike
    and one of them stands for all.

    Args:
        detector: An `audioseal.AudioSealDetector`.
        audio: Shape (n, 1, samples).

    Returns:
        Shape (n, 2 + bits, steps): unmarked, marked, and each bit of the message.
    """
    import torch

    encoder, last = detector.detector[0], detector.detector[1]
    upsampling = encoder.reverse_convolution
    hidden = torch.einsum("nct,co->not", encoder.model(audio), upsampling.weight.mean(-1))
    return torch.nn.functional.conv1d(hidden + upsampling.bias[:, None], last.weight, last.bias)


def _decode_losses(
    logits: "torch.Tensor", seen: _Seen, message: "torch.Tensor"
) -> tuple["torch.Tensor", "torch.Tensor", dict[str, float]]:
    """Returns the losses of detection and message, and how much of either was right."""
    import torch
    from torch.nn import functional

    n_marked, steps = len(seen.where), logits.shape[-1]
    n_clean = len(logits) - n_marked
    where = functional.adaptive_avg_pool1d(seen.where, steps).squeeze(1)
    truth = torch.cat([(where > 0.5).float(), torch.zeros(n_clean, steps)])
    # Clean and marked weigh the same, though there are twice as many marked ones.
    weight = torch.cat([torch.ones(n_marked), torch.full((n_clean,), n_marked / n_clean)])[:, None]
    marked_logit = logits[:, 1] - logits[:, 0]
    detection = (functional.binary_cross_entropy_with_logits(marked_logit, truth, reduction="none") * weight).mean()
    bit_logits = (logits[:n_marked, 2:] * where[:, None]).sum(-1) / where.sum(-1, keepdim=True)
    bit_loss = functional.binary_cross_entropy_with_logits(bit_logits, message.float(), reduction="none").mean(1)
    with torch.no_grad():
        right = ((bit_logits > 0) == message.bool()).float().mean(1)
        asked = seen.message_weight > 0
        found = (marked_logit > 0).float()
        observed = {
            "bit_accuracy": right[asked].mean().item() if asked.any() else math.nan,
            "frames_found": found[:n_marked][where > 0.5].mean().item(),
            "frames_false": found[n_marked:].mean().item(),
        }
    return detection, (bit_loss * seen.message_weight).mean(), observed


def _snr_db(host: "torch.Tensor", watermark: "torch.Tensor") -> "torch.Tensor":
    import torch

    powers = (audio.square().mean((1, 2)) for audio in (host, watermark))
    host_power, watermark_power = powers
    return 10 * torch.log10((host_power + 1e-8) / (watermark_power + 1e-14))


def _mean(values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def _digest(pcm: NDArray[np.int16]) -> str:
    import hashlib

    return hashlib.sha256(np.ascontiguousarray(pcm).data).hexdigest()


def _as_csv(rows: list[dict[str, float]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["step"], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: "" if math.isnan(value) else f"{value:.6g}" for name, value in row.items()})
    return text.getvalue()
