"""`sealproof train-scheme`: from a corpus to a pair with its card."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sealproof.detectors.audioseal_models import AudioSealDetector, AudioSealWatermarker
from sealproof.detectors.audioseal_nets import load_net
from sealproof.harness.build import ALL_CLIPS
from sealproof.harness.corpus import Corpus
from sealproof.harness.demo_corpus import DemoCorpus
from sealproof.harness.pair_training.card import TrainedPair, write_pair
from sealproof.harness.pair_training.clips import CorpusClips, read_clips
from sealproof.harness.pair_training.evaluate import evaluate
from sealproof.harness.pair_training.recipe import Recipe
from sealproof.harness.pair_training.trainer import Trainer
from sealproof.harness.progress import progress
from sealproof.harness.seeds import derive_seed

DEMO = "demo"


@dataclass(frozen=True)
class TrainingRequest:
    """What a pair is to be trained by and on.

    Attributes:
        recipe: The settings.
        corpora: Where clips come from beside built-in music, by name.
        split_seed: As of `sealproof build`, so that its test clips stay unheard.
    """

    recipe: Recipe
    corpora: dict[str, Corpus]
    split_seed: int = 0


def train_pair(request: TrainingRequest, out: Path) -> Path:
    """Trains a pair, measures it and writes it down; a training that was interrupted in `out` goes on.

    Returns:
        The card.

    Raises:
        HarnessError: A corpus is unusable, or `out` holds another training.
    """
    recipe = request.recipe
    read = {name: read_clips(corpus, ALL_CLIPS, request.split_seed) for name, corpus in request.corpora.items()}
    if recipe.demo_clips:
        # Music of its own: `sealproof demo` with its usual seed plays other pieces.
        read[DEMO] = read_clips(DemoCorpus(), recipe.demo_clips, derive_seed(recipe.seed, "music to train on") % 2**31)
    pcm = np.concatenate([clips.pcm["train"] for clips in read.values()])
    trainer = Trainer(recipe, pcm, out)
    first = trainer.step
    steps = progress(trainer.run(), f"training {recipe.name}", total=(recipe.steps - first) // 50)
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
    pair = TrainedPair(recipe, (generator, detector), corpora, trainer.seconds / 3600, trainer.log, evaluations)
    return write_pair(pair, out)


def _described(clips: CorpusClips) -> dict[str, object]:
    return {**clips.description, "train_clips": len(clips.pcm["train"])}
