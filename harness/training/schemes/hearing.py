"""What the detector hears in one step of a training: marked clips and clean ones, cut, played and perturbed alike."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.training.schemes.augment import PERTURBATIONS, at_speed, draw, without_band
from sealproof.harness.training.schemes.clips import draw_without_music
from sealproof.harness.training.schemes.negatives import (
    DrawnSounds,
    HardSounds,
    mean_marks,
    moved_in_frequency,
    peaks_of,
    with_sounds,
)
from sealproof.harness.training.schemes.recipe import Recipe, grown

if TYPE_CHECKING:
    import torch

MAX_SHIFT = 320
"""One step of the networks: from there on a shift repeats itself."""

KINDS = ("plain", "sounds", "means", "moved")
"""Kinds of clean clips: as they are, with a simple sound, a mean of marks, or a mark moved in frequency."""

_SUB_BATCH = 4
"""Marked clips that share a perturbation."""

_WITHOUT_MUSIC = 0.3
"""Share of the steps in which one clean clip is silence, noise or a tone."""

_SILENT_LABELS = ("polarity", "speed")
"""Perturbations under which only the presence of the mark is asked for, not its message."""

_LOUDER_DB = 3.0
"""How much louder or quieter than the host's own mark the rest of others' marks may be."""


@dataclass(frozen=True)
class Heard:
    """What the detector gets in one step.

    Attributes:
        audio: Marked clips, then clean ones, shape (n, 1, samples).
        where: 1 where a clip carries the mark, for the marked clips only.
        message_weight: How much each marked clip's message counts.
        kinds: Of each clean clip, its place in `KINDS`.
        sounds: What was added to those of the kind `sounds`; none where there is no such clip.
    """

    audio: "torch.Tensor"
    where: "torch.Tensor"
    message_weight: "torch.Tensor"
    kinds: NDArray[np.int64]
    sounds: DrawnSounds


def hear(
    recipe: Recipe,
    step: int,
    host: "torch.Tensor",
    watermark: "torch.Tensor",
    samples: int,
    hard: HardSounds,
    rng: np.random.Generator,
) -> Heard:
    """Mark the clips, one in four of them only outside a gap, cut and perturb them beside clean ones.

    Args:
        recipe: Says how.
        step: Of the training; what is asked for grows.
        host: Shape (n, 1, samples + `MAX_SHIFT`).
        watermark: Same shape.
        samples: What is left after cutting.
        hard: Sounds that fooled the detector before.
        rng: Draws everything.
    """
    import torch

    marked_where = torch.ones_like(host)
    for clip in range(0, recipe.batch, 4):
        start = int(rng.integers(samples // 2))
        marked_where[clip, :, start : start + int(rng.integers(samples // 4, samples // 2))] = 0
    marked = host + watermark * marked_where
    peaks = peaks_of(watermark)
    clean, kinds, sounds = _clean(recipe, step, host, watermark, peaks, hard, rng)
    n_parts = recipe.batch // _SUB_BATCH
    n_clean = recipe.n_clean(listening=step > recipe.steps) // n_parts
    shift_share = recipe.shift.share * grown(recipe.shift, step)
    scale_share = recipe.time_scale.share * grown(recipe.time_scale, step)
    audio: tuple[list[torch.Tensor], list[torch.Tensor]] = ([], [])
    where, message_weight = [], []
    for index in range(n_parts):
        part = slice(index * _SUB_BATCH, (index + 1) * _SUB_BATCH)
        name = draw(recipe.perturbations, rng) if step > recipe.perturb_from else "none"
        late = int(rng.integers(1, MAX_SHIFT)) if rng.random() < shift_share else 0
        cut = slice(late, late + samples)
        both = torch.cat([marked[part], clean[index * n_clean : (index + 1) * n_clean]])[..., cut]
        scaled = rng.random() < scale_share
        if scaled:
            both = at_speed(both, 1 + float(rng.uniform(-1, 1)) * recipe.time_scale.largest)
        if recipe.aimed_notches and rng.random() < recipe.aimed_notches:
            both = without_band(both, float(rng.choice(peaks)), rng)
        heard = PERTURBATIONS[name](both, rng)
        audio[0].append(heard[:_SUB_BATCH])
        audio[1].append(heard[_SUB_BATCH:])
        where.append(marked_where[part][..., cut])
        asked = 0.0 if name in _SILENT_LABELS else recipe.shift.message_weight if late else 1.0
        message_weight += [asked * (recipe.time_scale.message_weight if scaled else 1.0)] * _SUB_BATCH
    heard_clean = torch.cat(audio[1])
    if rng.random() < _WITHOUT_MUSIC and (plain := _of_kind(kinds, "plain")).size:
        heard_clean = heard_clean.clone()
        heard_clean[int(rng.choice(plain))] = torch.from_numpy(draw_without_music(samples, rng))
    weights = torch.tensor(message_weight, dtype=torch.float32)
    return Heard(torch.cat([*audio[0], heard_clean]), torch.cat(where), weights, kinds, sounds)


def _clean(
    recipe: Recipe,
    step: int,
    host: "torch.Tensor",
    watermark: "torch.Tensor",
    peaks: NDArray[np.floating[Any]],
    hard: HardSounds,
    rng: np.random.Generator,
) -> tuple["torch.Tensor", NDArray[np.int64], DrawnSounds]:
    """Return clean clips, some of them with what only resembles a mark; what kind each is; sounds added."""
    import torch

    asked = recipe.clean
    shares = np.array([0.0, asked.sounds, asked.means, asked.moved]) * grown(asked, step)
    shares[0] = 1 - shares.sum()
    # Each clean clip is heard marked, too, in this step: what differs is the mark.
    order = rng.permutation(len(host))[: recipe.n_clean(listening=step > recipe.steps)]
    kinds = rng.choice(len(KINDS), size=len(order), p=shares)
    clean = host[torch.from_numpy(order)].clone()
    added = DrawnSounds(np.zeros((0, host.shape[-1]), np.float32), np.zeros(0, np.int64))
    if (sounds := _of_kind(kinds, "sounds")).size:
        added = hard.draw(len(sounds), host.shape[-1], peaks, rng)
        clean[sounds] = with_sounds(clean[sounds], added.audio)
    strength = watermark.detach().square().mean(-1, keepdim=True).sqrt()[torch.from_numpy(order)]
    louder_db = rng.uniform(-_LOUDER_DB, _LOUDER_DB, (len(order), 1, 1))
    loudness = torch.from_numpy(10 ** (louder_db / 20)).float() * strength
    if (means := _of_kind(kinds, "means")).size:
        clean[means] = clean[means] + mean_marks(watermark, len(means), rng) * loudness[means]
    if (moved := _of_kind(kinds, "moved")).size:
        others = torch.from_numpy((order[moved] + 1 + rng.integers(len(host) - 1, size=len(moved))) % len(host))
        clean[moved] = clean[moved] + moved_in_frequency(_levelled(watermark[others]), rng) * loudness[moved]
    return clean, kinds, added


def _of_kind(kinds: NDArray[np.int64], name: str) -> NDArray[np.intp]:
    """Return which clean clips are of a kind."""
    return np.flatnonzero(kinds == KINDS.index(name))


def learn_sounds(hard: HardSounds, heard: Heard, logits: "torch.Tensor") -> None:
    """Tell the memory of hard sounds how sure the detector was of each that it just heard."""
    clean = logits.detach()[len(heard.where) :]
    sure = (clean[:, 1] - clean[:, 0]).sigmoid().mean(1).numpy().astype(np.float64)
    hard.learn(heard.sounds, sure[_of_kind(heard.kinds, "sounds")])


def _levelled(watermark: "torch.Tensor") -> "torch.Tensor":
    return watermark / (watermark.detach().square().mean(-1, keepdim=True).sqrt() + 1e-6)


def frame_logits(detector: Any, audio: "torch.Tensor") -> "torch.Tensor":
    """Return the detector's logits once for each step of 20 ms, not for each sample.

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


def decode_losses(
    logits: "torch.Tensor", heard: Heard, message: "torch.Tensor"
) -> tuple["torch.Tensor", "torch.Tensor", dict[str, float]]:
    """Return the losses of detection and message, and how much of either was right."""
    import torch
    from torch.nn import functional

    n_marked, steps = len(heard.where), logits.shape[-1]
    n_clean = len(logits) - n_marked
    where = functional.adaptive_avg_pool1d(heard.where, steps).squeeze(1)
    truth = torch.cat([(where > 0.5).float(), torch.zeros(n_clean, steps)])
    # Clean and marked weigh the same, though there are twice as many marked ones.
    weight = torch.cat([torch.ones(n_marked), torch.full((n_clean,), n_marked / n_clean)])[:, None]
    marked_logit = logits[:, 1] - logits[:, 0]
    detection = (functional.binary_cross_entropy_with_logits(marked_logit, truth, reduction="none") * weight).mean()
    bit_logits = (logits[:n_marked, 2:] * where[:, None]).sum(-1) / where.sum(-1, keepdim=True)
    bit_loss = functional.binary_cross_entropy_with_logits(bit_logits, message.float(), reduction="none").mean(1)
    with torch.no_grad():
        right = ((bit_logits > 0) == message.bool()).float().mean(1)
        asked = heard.message_weight > 0
        says = (marked_logit > 0).float()
        observed = {
            "bit_accuracy": right[asked].mean().item() if asked.any() else math.nan,
            "frames_found": says[:n_marked][where > 0.5].mean().item(),
            "frames_false": says[n_marked:].mean().item(),
            **{f"false_{name}": _mean_where(says[n_marked:], heard.kinds == kind) for kind, name in enumerate(KINDS)},
        }
    return detection, (bit_loss * heard.message_weight).mean(), observed


def _mean_where(values: "torch.Tensor", chosen: NDArray[np.bool_]) -> float:
    return float(values[chosen].mean()) if chosen.any() else math.nan
