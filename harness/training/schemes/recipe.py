"""What a scheme is trained to be: a table of settings, kept with the weights it led to."""

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol, get_type_hints

from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.training.schemes.augment import PERTURBATIONS

MATCHED, LINES = "matched", "lines"
"""Where a training may start; everything else is the folder of a scheme."""

RECIPES = ("mini", "lines", "full")
"""Recipes that come with sealproof."""


class Growing(Protocol):
    """A part of a recipe that is asked for little by little."""

    @property
    def start(self) -> int:
        """Last step in which nothing of it is asked for."""

    @property
    def full_at(self) -> int:
        """First step in which all of it is."""


def grown(part: Growing, step: int) -> float:
    """Return how much of a part is asked for at a step: 0 up to its start, 1 from `full_at` on, evenly in between."""
    return min(1.0, max(0.0, (step - part.start) / (part.full_at - part.start)))


@dataclass(frozen=True, kw_only=True)
class NetShape:
    """Size of the two networks, in the words of the audioseal package."""

    n_filters: int
    dimension: int
    ratios: tuple[int, ...]
    generator_lstm: int
    detector_lstm: int
    message_bits: int

    @property
    def n_bands(self) -> int:
        """Bands in which the generator follows its host at first: what the last upsampling layer can tell apart."""
        return min(self.n_filters, self.ratios[-1])


@dataclass(frozen=True, kw_only=True)
class Strength:
    """How loud the watermark may be.

    Attributes:
        start_snr_db: Signal-to-watermark ratio of the first step; it rises evenly to `snr_db`.
        snr_db: Ratio that each clip, and each cell of its spectrogram, shall reach; in the clip as a whole louder costs
            twice what more than 1.5 dB quieter costs.
        unseen_db: How far below its host a cell must be to go unseen.
        ramp_steps: Steps over which the ratio rises.
        free_from: Step up to which each watermark is scaled to its ratio, so that only its shape is learned.
        free_at: Step from which the generator must reach the level by itself; between the two the scaling fades out.
    """

    start_snr_db: float
    snr_db: float
    unseen_db: float
    ramp_steps: int
    free_from: int
    free_at: int


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Weights of the parts of the loss.

    Attributes:
        detection: Finding the mark.
        message: Reading its bits.
        shape: Following its host's spectrogram (`masking.shape_loss`).
        visible: Not standing out from it (`masking.visible_loss`).
        level: Reaching the ratio asked for.
    """

    detection: float
    message: float
    shape: float
    visible: float
    level: float


@dataclass(frozen=True, kw_only=True)
class Later:
    """Other weights for what must be heard and seen of the mark, once it works.

    Attributes:
        start: Last step with the first weights.
        full_at: First step with these; in between they move evenly.
        shape: As in `Weights`.
        visible: As in `Weights`.
        level: As in `Weights`.
    """

    start: int
    full_at: int
    shape: float
    visible: float
    level: float


@dataclass(frozen=True, kw_only=True)
class Shift:
    """Cutting a clip at another place than where it was marked.

    Attributes:
        share: Share of the sub-batches that are cut 1 to 319 samples late, in the end.
        start: Step from which on some are.
        full_at: Step from which on that share is.
        message_weight: Weight of the message in what was shifted, against 1 elsewhere.
    """

    share: float
    start: int
    full_at: int
    message_weight: float


@dataclass(frozen=True, kw_only=True)
class Spread:
    """How far a mark shall spread, and what it costs where it does not (`spread.spread_losses`).

    Attributes:
        start: Last step in which nothing of it is asked for.
        full_at: First step with the weights below; in between they grow evenly.
        clip_bins: Bins that the mark of each clip shall occupy.
        batch_bins: Bins that the marks of all clips together shall occupy.
        clip: Weight of too few bins in a clip.
        batch: Weight of too few bins over all clips.
        low: Weight of what lies below hearing.
        common: Weight of a waveform that clips have in common.
    """

    start: int = 0
    full_at: int = 1
    clip_bins: float = 1.0
    batch_bins: float = 1.0
    clip: float = 0.0
    batch: float = 0.0
    low: float = 0.0
    common: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Clean:
    """What the detector hears as clean, beside as many marked clips as the batch has.

    Attributes:
        per_batch: Clean clips in a step, a multiple of a quarter of the batch; 0: half as many as marked ones, and as
            many while listening.
        start: Last step in which all of them are plain.
        full_at: First step with the shares below; in between they grow evenly.
        sounds: Share that carries a simple sound at about the mark's level (`negatives.with_sounds`).
        means: Share that carries the mean of other clips' marks (`negatives.mean_marks`).
        moved: Share that carries another clip's mark, moved in frequency (`negatives.moved_in_frequency`).
        remembered: How many of the sounds that fooled the detector most are kept and heard again
            (`negatives.HardSounds`).
    """

    per_batch: int = 0
    start: int = 0
    full_at: int = 1
    sounds: float = 0.0
    means: float = 0.0
    moved: float = 0.0
    remembered: int = 0


@dataclass(frozen=True, kw_only=True)
class TimeScale:
    """Playing a clip faster or slower between marking and hearing, before any other perturbation.

    Attributes:
        share: Share of the sub-batches.
        largest: Largest relative change of speed.
        start: Step from which on some are.
        full_at: Step from which on that share is.
        message_weight: Weight of the message there, against 1 elsewhere.
    """

    share: float = 0.0
    largest: float = 0.0
    start: int = 0
    full_at: int = 1
    message_weight: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Listening:
    """What comes last: the generator is finished, and the detector alone learns to tell its mark from all else.

    Attributes:
        steps: Number of updates, after the others.
        learning_rate: At first; falls to 3 % along a half cosine.
        fastest: Hosts are played up to this much faster, or as much slower, and half of them mixed with another.
    """

    steps: int
    learning_rate: float
    fastest: float


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that decides what comes out of a training, but for the clips.

    Attributes:
        name: Of the scheme; letters, digits and `_`.
        start: `matched` or `lines` (the modules of `starts`), both tuned in first; or a folder with a scheme of the
            same networks, `generator.safetensors` and `detector.safetensors`.
        net: Size of the networks.
        steps: Number of updates of generator and detector together.
        batch: Marked clips in a step; clean ones are added, as `clean` says.
        messages: Different messages in a step, each in as many of its clips, so that marks of one can be compared;
            0: as many as clips.
        window_s: Length of the clips in training, in seconds.
        tune_in_steps: Updates before the first, in which the generator's encoder learns to hear how loud its host is.
        learning_rate: Of Adam, after 100 steps of warm-up; falls to 3 % along a half cosine.
        seed: Decides initial weights, order of the clips, messages and perturbations.
        demo_clips: Clips of built-in music to train on beside the corpus.
        strength: How loud the watermark may be.
        weights: Weights of the parts of the loss.
        later: Some of them in the end.
        shift: Cutting at another place.
        time_scale: Playing at another speed.
        spread: How far the mark shall spread.
        clean: What is heard as clean.
        listening: What comes last.
        perturb_from: First step in which clips are perturbed.
        aimed_notches: Share of the sub-batches that lose a band in which the mark is strong, before any perturbation.
        perturbations: Weight of each perturbation, by its name in `augment.PERTURBATIONS`.
    """

    name: str
    start: str = MATCHED
    net: NetShape
    steps: int
    batch: int
    messages: int = 0
    window_s: float
    tune_in_steps: int
    learning_rate: float
    seed: int
    demo_clips: int
    strength: Strength
    weights: Weights
    later: Later
    shift: Shift
    time_scale: TimeScale = TimeScale()
    spread: Spread = Spread()
    clean: Clean = Clean()
    listening: Listening
    perturb_from: int
    aimed_notches: float = 0.0
    perturbations: Mapping[str, float] = field(hash=False)

    def __post_init__(self) -> None:
        """Refuse what cannot be trained by."""
        strength, shift, clean, scale = self.strength, self.shift, self.clean, self.time_scale
        weights = list(self.perturbations.values())
        rules: list[tuple[bool, str, object]] = [
            (self.steps >= 1, "steps must be at least 1", self.steps),
            (self.batch >= 4 and self.batch % 4 == 0, "batch must be a multiple of 4", self.batch),
            (
                self.messages == 0 or (self.messages > 0 and self.batch % self.messages == 0),
                "messages must be 0 or divide the batch",
                self.messages,
            ),
            (
                0 <= clean.per_batch <= self.batch and clean.per_batch % max(1, self.batch // 4) == 0,
                "clean.per_batch must be a multiple of a quarter of the batch, at most the batch",
                clean.per_batch,
            ),
            (0 <= clean.remembered <= 10_000, "clean.remembered must be from 0 to 10000", clean.remembered),
            (0 <= self.aimed_notches <= 1, "aimed_notches must be from 0 to 1", self.aimed_notches),
            (clean.full_at > clean.start, "clean.full_at must be above start", clean.full_at),
            (
                min(clean.sounds, clean.means, clean.moved) >= 0 and clean.sounds + clean.means + clean.moved <= 1,
                "the shares of clean must be 0 or more and 1 at most together",
                clean,
            ),
            (self.spread.full_at > self.spread.start, "spread.full_at must be above start", self.spread.full_at),
            (
                min(self.spread.clip_bins, self.spread.batch_bins) >= 1,
                "spread.clip_bins and batch_bins must be 1 or more",
                self.spread,
            ),
            (scale.full_at > scale.start, "time_scale.full_at must be above start", scale.full_at),
            (0 <= scale.share <= 1, "time_scale.share must be from 0 to 1", scale.share),
            (0 <= scale.largest <= 0.1, "time_scale.largest must be from 0 to 0.1", scale.largest),
            (self.listening.steps >= 0, "listening.steps must be 0 or more", self.listening.steps),
            (self.listening.fastest >= 1, "listening.fastest must be 1 or more", self.listening.fastest),
            (self.seed >= 0, "seed must be 0 or more", self.seed),
            (self.demo_clips >= 0, "demo_clips must be 0 or more", self.demo_clips),
            (self.window_s >= 0.1, "window_s must be 0.1 or more", self.window_s),
            (self.tune_in_steps >= 0, "tune_in_steps must be 0 or more", self.tune_in_steps),
            (self.learning_rate > 0, "learning_rate must be above 0", self.learning_rate),
            (
                self.net.dimension >= self.net.message_bits + self.net.n_bands,
                f"net.dimension must be at least {self.net.message_bits + self.net.n_bands}, one for each bit and band",
                self.net.dimension,
            ),
            (
                self.net.n_filters % self.net.n_bands == 0,
                "net.n_filters must be a multiple of the last ratio",
                self.net,
            ),
            (
                self.start != LINES
                or (len(self.net.ratios) == 4 and self.net.n_filters <= min(16, self.net.ratios[-1])),
                "net must have four ratios and at most 16 filters, and no more than the last ratio, to start as lines",
                self.net,
            ),
            (strength.ramp_steps >= 1, "strength.ramp_steps must be at least 1", strength.ramp_steps),
            (strength.free_at > strength.free_from, "strength.free_at must be above free_from", strength.free_at),
            (self.later.full_at > self.later.start, "later.full_at must be above start", self.later.full_at),
            (shift.full_at > shift.start, "shift.full_at must be above start", shift.full_at),
            (0 <= shift.share <= 1, "shift.share must be from 0 to 1", shift.share),
            (
                set(self.perturbations) <= set(PERTURBATIONS),
                f"perturbations must be among {', '.join(PERTURBATIONS)}",
                ", ".join(self.perturbations),
            ),
            (
                all(weight >= 0 for weight in weights) and any(weights),
                "weights of perturbations must be 0 or more, one above",
                weights,
            ),
        ]
        for kept, rule, value in rules:
            if not kept:
                raise HarnessError(f"In the recipe '{self.name}', {rule}. Got {value}.")

    def n_clean(self, *, listening: bool) -> int:
        """Number of clean clips in a step."""
        return self.clean.per_batch or (self.batch if listening else self.batch // 2)

    @property
    def all_steps(self) -> int:
        """Number of updates, those of the detector alone among them."""
        return self.steps + self.listening.steps

    def weights_at(self, step: int) -> Weights:
        """Return the weights of the parts of the loss at a step."""
        first, later = self.weights, self.later
        share = grown(later, step)
        return replace(
            first,
            shape=first.shape + share * (later.shape - first.shape),
            visible=first.visible + share * (later.visible - first.visible),
            level=first.level + share * (later.level - first.level),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain tables, as in the TOML file."""
        return asdict(self)

    def net_config(self, kind: str) -> dict[str, Any]:
        """Return what the audioseal package builds the generator or the detector from."""
        seanet = {
            "activation": "ELU",
            "activation_params": {"alpha": 1.0},
            "causal": False,
            "channels": 1,
            "compress": 2,
            "dilation_base": 2,
            "dimension": self.net.dimension,
            "disable_norm_outer_blocks": 0,
            "kernel_size": 7,
            "last_kernel_size": 7,
            "lstm": self.net.generator_lstm if kind == "generator" else self.net.detector_lstm,
            "n_filters": self.net.n_filters,
            "n_residual_layers": 1,
            "norm": "none",
            "norm_params": {},
            "pad_mode": "constant",
            "ratios": list(self.net.ratios),
            "residual_kernel_size": 3,
            "true_skip": True,
        }
        decoder = {"final_activation": None, "final_activation_params": None, "trim_right_ratio": 1.0}
        last = {"decoder": decoder} if kind == "generator" else {"detector": {"output_dim": 32}}
        return {"nbits": self.net.message_bits, "seanet": seanet, **last}


_PARTS: Mapping[str, type] = {
    "net": NetShape,
    "strength": Strength,
    "weights": Weights,
    "later": Later,
    "shift": Shift,
    "time_scale": TimeScale,
    "spread": Spread,
    "clean": Clean,
    "listening": Listening,
}


def load_recipe(name_or_path: str) -> Recipe:
    """Read a recipe that comes with sealproof, or a TOML file of the same form.

    Raises:
        HarnessError: There is none, or it is not of that form.
    """
    if name_or_path in RECIPES:
        text = (
            files("sealproof.harness.training.schemes.recipes")
            .joinpath(f"{name_or_path}.toml")
            .read_text(encoding="utf-8")
        )
    else:
        try:
            text = Path(name_or_path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise HarnessError(
                f"--recipe must be one of {', '.join(RECIPES)} or a TOML file. Got {name_or_path}: {error}."
            ) from error
    try:
        return recipe_from(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise HarnessError(f"The recipe {name_or_path} must be TOML: {error}.") from error


def recipe_from(tables: Mapping[str, Any]) -> Recipe:
    """Make a recipe of plain tables.

    Raises:
        HarnessError: Something is missing, unknown or of the wrong type.
    """
    made = {name: _part(kind, tables.get(name, {}), name) for name, kind in _PARTS.items()}
    recipe: Recipe = _part(Recipe, {**tables, **made}, "recipe")
    return recipe


def _part(kind: type, table: object, name: str) -> Any:
    if not isinstance(table, Mapping):
        raise HarnessError(f"'{name}' of a recipe must be a table. Got {table!r}.")
    types = get_type_hints(kind)
    required = {part.name for part in fields(kind) if part.default is MISSING}
    if not required <= set(table) <= set(types):
        unknown, missing = sorted(set(table) - set(types)), sorted(required - set(table))
        raise HarnessError(
            f"The table '{name}' of a recipe must hold {', '.join(types)}. Unknown: {unknown}; missing: {missing}."
        )
    return kind(**{key: _typed(value, types[key], f"{name}.{key}") for key, value in table.items()})


def _typed(value: Any, wanted: Any, name: str) -> Any:
    if wanted == tuple[int, ...]:
        right = (
            isinstance(value, list | tuple) and bool(value) and all(type(item) is int and item > 0 for item in value)
        )
        value = tuple(value) if right else value
    elif wanted == Mapping[str, float]:
        right = isinstance(value, Mapping) and all(type(item) in (int, float) for item in value.values())
    else:
        # A whole number will do for a fraction, but not the other way round, and true is no 1.
        right = type(value) is wanted or (wanted is float and type(value) is int)
    if not right:
        raise HarnessError(f"'{name}' of a recipe must be of the kind {wanted}. Got {value!r}.")
    return value
