"""`sealproof train-scheme`: from a corpus to a scheme with its card."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sealproof.detectors.audioseal.models import AudioSealDetector, AudioSealWatermarker
from sealproof.detectors.audioseal.nets import load_net
from sealproof.harness.corpora.base import ALL_CLIPS, Corpus
from sealproof.harness.corpora.demo.corpus import DemoCorpus
from sealproof.harness.foundation.audio.files import from_pcm
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.progress import progress
from sealproof.harness.foundation.seeds import derive_seed
from sealproof.harness.training.schemes.card import TrainedScheme, write_scheme
from sealproof.harness.training.schemes.clips import CorpusClips, read_clips
from sealproof.harness.training.schemes.evaluate import evaluate
from sealproof.harness.training.schemes.plot import plot_watermark
from sealproof.harness.training.schemes.recipe import Recipe
from sealproof.harness.training.schemes.trainer import LOG_EVERY, Trainer

DEMO = "demo"

_SHOWN = 4
"""Test clips whose spectrograms are drawn."""


@dataclass(frozen=True)
class TrainingRequest:
    """What a scheme is to be trained by and on.

    Attributes:
        recipe: The settings.
        corpora: Where clips come from beside built-in music, by name.
        split_seed: As of `sealproof build`, so that the test clips of a dataset of all of the corpus stay unheard.
        data_licence: What the card says of the licence of the recordings.
    """

    recipe: Recipe
    corpora: dict[str, Corpus]
    split_seed: int = 0
    data_licence: str = ""


def train_scheme(request: TrainingRequest, out: Path) -> Path:
    """Train a scheme, measure it and write it down; a training that was interrupted in `out` goes on.

    Returns:
        The card.

    Raises:
        HarnessError: A corpus is unusable, or `out` holds another training, or one that is running.
    """
    from filelock import FileLock, Timeout

    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / ".lock")
    try:
        with lock.acquire(timeout=0):
            return _train(request, out)
    except Timeout as error:
        raise HarnessError(
            f"{out} is being trained in by another process. Wait for it, or choose another --out."
        ) from error


def _train(request: TrainingRequest, out: Path) -> Path:
    recipe = request.recipe
    if not request.corpora and not recipe.demo_clips:
        raise HarnessError(
            "A scheme must have something to be trained on: name a --corpus, or set demo_clips in the recipe."
        )
    read = {name: read_clips(corpus, ALL_CLIPS, request.split_seed) for name, corpus in request.corpora.items()}
    if recipe.demo_clips:
        # Music of its own: `sealproof demo` with its usual seed plays other pieces.
        read[DEMO] = read_clips(DemoCorpus(), recipe.demo_clips, derive_seed(recipe.seed, "music to train on") % 2**31)
    pcm = np.concatenate([clips.pcm["train"] for clips in read.values()])
    trainer = Trainer(recipe, pcm, out)
    first = trainer.step
    steps = progress(trainer.run(), f"training {recipe.name}", total=(recipe.all_steps - first) // LOG_EVERY)
    for step in steps:
        if step.step % 500 == 0:
            values = step.values
            print(
                f"step {step.step}: loss {values['loss']:.3f}, SNR {values['snr_db']:.1f} dB, "
                f"bits {values['bit_accuracy']:.3f}, found {values['frames_found']:.3f}, "
                f"false {values['frames_false']:.3f}",
                flush=True,
            )
    generator, detector = trainer.nets()
    watermarker = AudioSealWatermarker(load_net(generator), recipe.name)
    finder = AudioSealDetector(load_net(detector), recipe.name)
    evaluations = {name: evaluate(watermarker, finder, clips, recipe.seed) for name, clips in read.items()}
    corpora = [_described(clips) for clips in read.values()]
    first_corpus = from_pcm(next(iter(read.values())).pcm["test"])
    shown = first_corpus[np.linspace(0, len(first_corpus) - 1, _SHOWN).astype(int)]
    messages = np.random.default_rng(recipe.seed).integers(0, 2, (_SHOWN, watermarker.message_bits), dtype=np.uint8)
    plot_watermark(shown, watermarker.embed(shown, messages), out / "watermark.png")
    return write_scheme(
        TrainedScheme(
            recipe=recipe,
            nets=(generator, detector),
            corpora=corpora,
            data_licence=request.data_licence,
            hours=trainer.seconds / 3600,
            log=trainer.log,
            evaluations=evaluations,
        ),
        out,
    )


def _described(clips: CorpusClips) -> dict[str, object]:
    return {**clips.description, "train_clips": len(clips.pcm["train"])}
