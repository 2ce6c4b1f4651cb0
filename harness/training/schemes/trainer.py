"""The training loop of a generator and detector: resumable, and the same for the same recipe, clips and threads."""

import copy
import json
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sealproof.detectors.audioseal.net_file import SUFFIX, Kind, Net, parse_net
from sealproof.detectors.audioseal.nets import build_net, uncompiled
from sealproof.detectors.audioseal.store import KINDS
from sealproof.harness.foundation.audio.files import SAMPLE_RATE
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.files import sha256_json, write_atomically, write_text
from sealproof.harness.foundation.text import csv_text
from sealproof.harness.training.schemes.clips import draw_batch, draw_varied
from sealproof.harness.training.schemes.hearing import MAX_SHIFT, Heard, decode_losses, frame_logits, hear, learn_sounds
from sealproof.harness.training.schemes.losses.masking import masking_losses
from sealproof.harness.training.schemes.losses.spread import spread_losses
from sealproof.harness.training.schemes.negatives import HardSounds
from sealproof.harness.training.schemes.recipe import LINES, MATCHED, Recipe, grown
from sealproof.harness.training.schemes.starts.lines import edges_hz, initialise_lines
from sealproof.harness.training.schemes.starts.matched import initialise_matched, tune_in

if TYPE_CHECKING:
    import torch

LOG_EVERY = 50
SAVE_EVERY = 250
_CHECKPOINT = "checkpoint.training"
_LOG = "training.csv"

_WARM_UP_STEPS = 100
_AVERAGE = 0.998
"""The weights that are kept are a moving average over about 500 steps."""

_MAX_GRADIENT = 2.0
_QUIET_DB = 1.5
"""How much quieter than asked a watermark may be before that costs something: quiet is good, but it is fragile."""


@dataclass(frozen=True)
class Step:
    """What one update saw, averaged over the steps since the last one that was logged."""

    step: int
    seconds: float
    values: dict[str, float]


class Trainer:
    """A scheme in training.

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
        if self._window + MAX_SHIFT > pcm.shape[1]:
            longest = (pcm.shape[1] - MAX_SHIFT) / SAMPLE_RATE
            raise HarnessError(
                f"The window_s of a recipe must be at most {longest:g} for these clips. Got {recipe.window_s:g}."
            )
        self._key = sha256_json([recipe.as_dict(), _digest(pcm)])
        self._log: list[dict[str, float]] = []
        self._rng = np.random.default_rng(recipe.seed)
        torch.manual_seed(recipe.seed)
        self.generator = build_net("generator", recipe.net_config("generator"))
        self.detector = build_net("detector", recipe.net_config("detector"))
        self._tuned_in = recipe.start not in (MATCHED, LINES)
        if recipe.start == LINES:
            initialise_lines(self.generator, self.detector)
        elif self._tuned_in:
            for net, kind in zip((self.generator, self.detector), KINDS, strict=True):
                net.load_state_dict(dict(_start_net(Path(recipe.start), kind).tensors))
        else:
            initialise_matched(self.generator, self.detector)
        self._parameters = [*self.generator.parameters(), *self.detector.parameters()]
        self._hard = HardSounds(recipe.clean.remembered)
        self._optimizer = torch.optim.Adam(self._parameters, lr=recipe.learning_rate, betas=(0.9, 0.99))
        self._average = (copy.deepcopy(self.generator), copy.deepcopy(self.detector))
        if (folder / _CHECKPOINT).is_file():
            self._resume()

    def run(self) -> Iterator[Step]:
        """Train to the end of the recipe; yield every `LOG_EVERY` steps.

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
        """Return generator and detector as they are now, averaged over the last steps."""
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

        edges = edges_hz(self.recipe.net.n_filters) if self.recipe.start == LINES else (0.0, SAMPLE_RATE / 2)
        tune_in(self.generator, hosts, self.recipe.tune_in_steps, edges)
        self._average[0].load_state_dict(self.generator.state_dict())
        self._tuned_in = True

    def _update(self) -> dict[str, float]:
        import torch
        from torch.nn import functional

        recipe, strength = self.recipe, self.recipe.strength
        for group in self._optimizer.param_groups:
            group["lr"] = self._learning_rate()
        samples = self._window
        host = torch.from_numpy(draw_batch(self._pcm, recipe.batch, samples + MAX_SHIFT, self._rng))
        message = self._messages()
        raw = self.generator.get_watermark(host, message=message)
        ramp = min(1.0, self.step / strength.ramp_steps)
        target_db = strength.start_snr_db + ramp * (strength.snr_db - strength.start_snr_db)
        snr_db = _snr_db(host, raw)
        too_quiet = (snr_db - target_db) * (math.log(10) / 20)
        watermark = raw * torch.exp(too_quiet * self._scaling())[:, None, None]
        level = (2 * functional.relu(-too_quiet) + functional.relu(too_quiet - _QUIET_DB * math.log(10) / 20)).mean()
        shape, visible = masking_losses(host, watermark, target_db, strength.unseen_db)
        spread = spread_losses(watermark, recipe.spread.clip_bins, recipe.spread.batch_bins)
        heard = hear(recipe, self.step, host, watermark, samples, self._hard, self._rng)
        detection, message_loss, observed = self._detect(heard, message)
        weights = recipe.weights_at(self.step)
        loss = (
            weights.detection * detection
            + weights.message * message_loss
            + weights.shape * shape
            + weights.visible * visible
            + weights.level * level
            + grown(recipe.spread, self.step)
            * (
                recipe.spread.clip * spread.clip
                + recipe.spread.batch * spread.batch
                + recipe.spread.low * spread.low
                + recipe.spread.common * spread.common
            )
        )
        self._descend(loss, self._parameters)
        self._update_average([0, 1])
        return {
            "loss": loss.item(),
            "detection_loss": detection.item(),
            "message_loss": message_loss.item(),
            "shape_loss": shape.item(),
            "visible_loss": visible.item(),
            "level_loss": level.item(),
            "clip_loss": spread.clip.item(),
            "batch_loss": spread.batch.item(),
            "low_loss": spread.low.item(),
            "common_loss": spread.common.item(),
            "snr_db": snr_db.median().item(),
            **observed,
        }

    def _listen(self) -> dict[str, float]:
        """Update the detector alone, on the finished generator's marks in varied hosts, with as many clean clips."""
        import torch

        recipe, listening = self.recipe, self.recipe.listening
        passed = (self.step - recipe.steps) / listening.steps
        for group in self._optimizer.param_groups:
            group["lr"] = listening.learning_rate * (0.97 * 0.5 * (1 + math.cos(math.pi * passed)) + 0.03)
        drawn = draw_varied(self._pcm, recipe.batch, self._window + MAX_SHIFT, listening.fastest, self._rng)
        host = torch.from_numpy(drawn)
        message = self._messages()
        with torch.no_grad():
            watermark = self._average[0].get_watermark(host, message=message)
            heard = hear(recipe, self.step, host, watermark, self._window, self._hard, self._rng)
        detection, message_loss, observed = self._detect(heard, message)
        loss = recipe.weights.detection * detection + recipe.weights.message * message_loss
        self._descend(loss, self.detector.parameters())
        self._update_average([1])
        return {
            "loss": loss.item(),
            "detection_loss": detection.item(),
            "message_loss": message_loss.item(),
            "shape_loss": math.nan,
            "visible_loss": math.nan,
            "level_loss": math.nan,
            "clip_loss": math.nan,
            "batch_loss": math.nan,
            "low_loss": math.nan,
            "common_loss": math.nan,
            "snr_db": _snr_db(host, watermark).median().item(),
            **observed,
        }

    def _detect(self, heard: Heard, message: "torch.Tensor") -> tuple["torch.Tensor", "torch.Tensor", dict[str, float]]:
        """Return `decode_losses` of what the detector says, which the memory of hard sounds is told."""
        logits = frame_logits(self.detector, heard.audio)
        learn_sounds(self._hard, heard, logits)
        return decode_losses(logits, heard, message)

    def _descend(self, loss: "torch.Tensor", parameters: Iterable["torch.nn.Parameter"]) -> None:
        """Take one step of the optimizer, these parameters' gradient cut to `_MAX_GRADIENT`."""
        import torch

        self._optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, _MAX_GRADIENT, error_if_nonfinite=True)
        self._optimizer.step()

    def _learning_rate(self) -> float:
        cosine = 0.5 * (1 + math.cos(math.pi * self.step / self.recipe.steps))
        return self.recipe.learning_rate * min(1.0, self.step / _WARM_UP_STEPS) * (0.97 * cosine + 0.03)

    def _scaling(self) -> float:
        """How far each watermark is scaled to its target: 1 at first, 0 once the generator is on its own."""
        strength = self.recipe.strength
        return 1 - min(1.0, max(0.0, (self.step - strength.free_from) / (strength.free_at - strength.free_from)))

    def _messages(self) -> "torch.Tensor":
        import torch

        recipe = self.recipe
        n = recipe.messages or recipe.batch
        drawn = torch.from_numpy(self._rng.integers(0, 2, (n, recipe.net.message_bits)))
        return drawn.repeat(recipe.batch // n, 1)

    def _update_average(self, which: Sequence[int]) -> None:
        """Move the kept weights of the generator (0) and the detector (1) towards those of now."""
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
            "hard_sounds": torch.from_numpy(self._hard.sounds),
            "hardness": torch.from_numpy(self._hard.hardness),
        }
        write_text(self._folder / _LOG, _log_csv(self._log))
        write_atomically(self._folder / _CHECKPOINT, lambda file: torch.save(state, file))

    def _resume(self) -> None:
        import pickle

        import torch

        path = self._folder / _CHECKPOINT
        try:
            state: dict[str, Any] = torch.load(path, weights_only=True)
            if state["key"] != self._key:
                raise HarnessError(
                    f"{path} belongs to another recipe, seed or corpus. Choose another --out, or delete the folder."
                )
            for net, weights in zip((self.generator, self.detector, *self._average), state["nets"], strict=True):
                net.load_state_dict(weights)
            self._optimizer.load_state_dict(state["optimizer"])
            self._rng.bit_generator.state = json.loads(state["numpy_rng"])
            torch.set_rng_state(state["torch_rng"])
            self._hard.sounds, self._hard.hardness = state["hard_sounds"].numpy(), state["hardness"].numpy()
            self._tuned_in = True  # a checkpoint is written only after that
            self.step, self.seconds, self._log = state["step"], state["seconds"], json.loads(state["log"])
        except (pickle.UnpicklingError, RuntimeError, EOFError, LookupError, TypeError, ValueError) as error:
            if isinstance(error, HarnessError):
                raise
            raise HarnessError(
                f"{path} must be a checkpoint of this command. Got {type(error).__name__}: delete it to start anew."
            ) from error


def _start_net(folder: Path, kind: Kind) -> Net:
    path = folder / f"{kind}{SUFFIX}"
    try:
        return parse_net(path.read_bytes(), path)
    except OSError as error:
        raise HarnessError(
            f"The start of a recipe must be 'matched', 'lines' or the folder of a scheme. Got {folder}: {error}."
        ) from error


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


def _log_csv(rows: list[dict[str, float]]) -> str:
    texts = ({name: "" if math.isnan(value) else f"{value:.6g}" for name, value in row.items()} for row in rows)
    return csv_text(list(rows[0]) if rows else ["step"], texts)
