"""Measure the bands in which the numbers of `attacks/verification/profile.py` lie, and write `bands.csv`.

    python -m benchmarks.attacks.bands --music FOLDER [--attacks NAME,...]

Run by hand from the repository's root, when an attack or the library behind it changes. Eighteen groups of two clips of
a second each: eight of built-in pieces, eight of recordings of very different music in a folder, and two of the notes
that `check_attack` uses. A band reaches from the smallest to the largest median of a group, and a margin beyond: four
tenths of that range, and at least `MARGIN_DB` or `MARGIN_MS`. With `--attacks` the lines of these alone are made anew.
"""

import argparse
import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import sealproof.attacks.verification.profile as profiles
from sealproof.attacks import Attack, attack_class, list_attacks
from sealproof.attacks.testing import music_like
from sealproof.attacks.verification.profile import SAMPLE_RATE, in_domain, profile
from sealproof.harness.corpora.base import Corpus, CorpusReport
from sealproof.harness.corpora.demo.corpus import DemoCorpus
from sealproof.harness.corpora.folder import FolderCorpus
from sealproof.harness.foundation.audio.files import from_pcm
from sealproof.harness.studies.attack_audit.check import clip_seed

MARGIN_DB, MARGIN_MS = 1.5, 0.3

TIMED = {"reverb", "rerecord", "shoebox", "random_phase", "small_speaker"}
"""Attacks that keep the waveform in place and do not claim its delay."""

FAMILIES = {"codec", "dynamics", "denoising", "resynthesis", "reverb", "channel", "modulation", "phase", "timing"}
"""Families of attacks of which a formula does not tell all."""

OTHERS = {"equaliser", "speed", "jitter", "soft_clipping", "clipping", "median_filter"}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--music", type=Path, required=True)
    parser.add_argument("--attacks", default="")
    options = parser.parse_args()
    names = options.attacks.split(",") if options.attacks else None
    notes = music_like(4, SAMPLE_RATE, SAMPLE_RATE, seed=5)
    groups = [*_pieces(8), *_recordings(options.music, 8), notes[:2], notes[2:]]
    clips = np.concatenate(groups)
    print(f"{len(groups)} groups, {len(clips)} clips", flush=True)
    path = Path(profiles.__file__).with_name("bands.csv")
    kept = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))[1:] if path.is_file() and names else []
    rows = [tuple(row) for row in kept if names is None or row[0].split(".")[0] not in names]
    for attack in _attacks(names):
        rows += list(_measured(attack, clips))
        with path.open("w", encoding="utf-8", newline="") as file:  # each time: a run that is stopped is not lost
            csv.writer(file, lineterminator="\n").writerows([("attack", "quantity", "low", "high"), *sorted(rows)])
        print(attack.id, flush=True)


def _in_domain(corpus: Corpus, n_clips: int) -> NDArray[np.float32]:
    """Return two clips of a corpus that lie in the domain of the bands, or fewer."""
    clips = [from_pcm(clip.pcm) for clip in corpus.clips(n_clips, clip_s=1.0, seed=3, report=CorpusReport())]
    audio = np.stack(clips) if clips else np.zeros((0, SAMPLE_RATE), np.float32)
    return audio[in_domain(audio, SAMPLE_RATE)]


def _pieces(wanted: int) -> list[NDArray[np.float32]]:
    audio = _in_domain(DemoCorpus(), 3 * wanted)
    return [audio[2 * at : 2 * at + 2] for at in range(wanted)]


def _recordings(folder: Path, wanted: int) -> list[NDArray[np.float32]]:
    """Return clips of recordings that lie as far apart as there are folders; a folder with files is one recording."""
    folders = sorted({path.parent for path in folder.rglob("*.flac")} | {path.parent for path in folder.rglob("*.wav")})
    found: list[NDArray[np.float32]] = []
    for at in np.random.default_rng(0).permutation(len(folders)):
        audio = _in_domain(FolderCorpus(root=folders[at]), 8)
        found += [audio[:2]] if len(audio) >= 2 else []
        if len(found) == wanted:
            break
    return found


def _attacks(names: Sequence[str] | None) -> Iterator[Attack]:
    for name in list_attacks():
        cls = attack_class(name)
        chosen = name in names if names else (cls.family in FAMILIES or name in OTHERS)
        if chosen and cls.unavailable() is None and not (cls.is_control or cls.needs_knowledge):
            yield from cls.standard()


def _measured(attack: Attack, clips: NDArray[np.float32]) -> Iterator[tuple[str, str, str, str]]:
    seeds = [clip_seed(attack, 1, index) for index in range(len(clips))]
    after = attack(clips, SAMPLE_RATE, seeds)
    parts = [slice(at, at + 2) for at in range(0, len(clips), 2)]
    # The delay of what stays in place is claimed anyway, but where it is let go.
    is_timed = not attack.keeps_alignment or attack.name in TIMED
    numbers = profile(clips, after, SAMPLE_RATE, is_aligned=attack.keeps_alignment, is_timed=is_timed)
    for quantity, values in numbers.items():
        medians = np.array([np.nanmedian(values[part]) for part in parts if not np.isnan(values[part]).all()])
        if not len(medians) or not np.isfinite(medians).all():
            continue
        margin = max(MARGIN_MS if quantity.endswith("_ms") else MARGIN_DB, 0.4 * np.ptp(medians))
        yield attack.id, quantity, f"{medians.min() - margin:.2f}", f"{medians.max() + margin:.2f}"


if __name__ == "__main__":
    main()
