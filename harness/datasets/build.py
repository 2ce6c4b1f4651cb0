"""Building a dataset: watermark a corpus, split it by group, write it so that a killed build resumes."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.verification.measure import snr_db
from sealproof.detectors import get_scheme
from sealproof.detectors.base import Scheme
from sealproof.detectors.files import TEMPORARY
from sealproof.harness.corpora.base import ALL_CLIPS, Clip, Corpus, CorpusReport, clip_samples
from sealproof.harness.datasets.content_keys import marking_version
from sealproof.harness.datasets.dataset import FACTS, MANIFEST, REQUEST, Dataset
from sealproof.harness.datasets.links import refuse_links
from sealproof.harness.datasets.manifest import CLEAN, WATERMARKED, Row, to_csv
from sealproof.harness.datasets.split import split_by_corpus, split_by_group
from sealproof.harness.foundation.audio.files import SAMPLE_RATE, Audio, Pcm, from_pcm, to_pcm, write_wav
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.files import read_json, sha256_file, write_json, write_text
from sealproof.harness.foundation.parallel import map_ahead, n_cores
from sealproof.harness.foundation.progress import progress
from sealproof.harness.foundation.seeds import derive_seed
from sealproof.harness.foundation.versions import package_versions
from sealproof.harness.statistics.power import detectable_drop

_JOURNAL = "journal.jsonl"
_BLOCK = 32
"""Clips embedded together; a killed build does at most three times as many again."""


@dataclass(frozen=True, kw_only=True)
class BuildRequest:
    """What a dataset is asked to be.

    Attributes:
        scheme: Name of the watermark scheme.
        n_clips: How many clips to take at most.
        seed: Decides offsets, selection, messages and splits.
        clip_s: Length of a clip in seconds.
    """

    scheme: str
    n_clips: int
    seed: int = 0
    clip_s: float = 1.0

    def __post_init__(self) -> None:
        """Refuse values that no dataset can have."""
        if self.n_clips < 1:
            raise HarnessError(f"--clips must be at least 1. Got {self.n_clips}.")
        clip_samples(self.clip_s)


def build_dataset(corpus: Corpus, request: BuildRequest, root: Path) -> tuple[Dataset, CorpusReport | None]:
    """Build a dataset, go on with one whose build was killed, or return the one that is already there.

    Args:
        corpus: Where the clean clips come from.
        request: What to build.
        root: The dataset's folder.

    Returns:
        The dataset, and what the corpus gave; None when the dataset was already finished.

    Raises:
        HarnessError: The corpus is unusable, or `root` holds something else.
        sealproof.detectors.base.UnavailableError: The scheme cannot run here.
        OSError: The disk is full or the folder cannot be written; what was finished stays and is taken up again.
    """
    scheme = get_scheme(request.scheme)
    asked = {**asdict(request), "scheme_version": marking_version(scheme), "corpus": corpus.description()}
    if _is_finished(root, asked):
        return Dataset.open(root), None
    scheme.require_ready()
    write_json(root / REQUEST, asked)
    report = CorpusReport()
    held_out: dict[str, bool | None] = {}
    rows = _watermark(corpus, scheme, request, root, report, held_out)
    if not rows:
        raise HarnessError(f"The corpus must hold at least one usable clip. Got {report.sentence()}.")
    split_of = _split([row.group for row in rows if row.label == CLEAN], held_out, request.seed)
    rows = [replace(row, split=split_of[row.group]) for row in sorted(rows, key=lambda row: (row.clip_id, row.label))]
    write_text(root / MANIFEST, to_csv(rows))
    # Last, for it is what makes the dataset finished.
    write_json(root / FACTS, _facts(rows, scheme, asked, request, report, sha256_file(root / MANIFEST)))
    for leftover in (root / _JOURNAL, *root.rglob(f"*{TEMPORARY}")):
        leftover.unlink(missing_ok=True)
    return Dataset.open(root), report


def _split(groups: list[str], held_out: Mapping[str, bool | None], seed: int) -> dict[str, str]:
    """Keep the corpus' own split where it has one, else deal the groups out."""
    if None in held_out.values():
        return split_by_group(groups, derive_seed(seed, "split"))
    return split_by_corpus(
        groups, {group for group, is_held_out in held_out.items() if is_held_out}, derive_seed(seed, "split")
    )


def _is_finished(root: Path, asked: dict[str, object]) -> bool:
    """Say whether exactly this dataset is there; refuse a folder that holds anything else."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    refuse_links(root)
    if not (root / REQUEST).is_file():
        raise HarnessError(f"--out must be a new or empty folder, or an earlier build. {root} holds something else.")
    try:
        there, wanted = read_json(root / REQUEST), json.loads(json.dumps(asked))
    except (ValueError, TypeError) as error:
        raise HarnessError(
            f"{root / REQUEST} is damaged ({error}). Choose another --out, or delete the folder."
        ) from error
    changed = [key for key in wanted if there.get(key) != wanted[key]]
    if changed:
        raise HarnessError(
            f"{root} holds a dataset with another {', '.join(changed)}. Choose another --out, or delete the folder."
        )
    return (root / FACTS).is_file()


def _watermark(
    corpus: Corpus,
    scheme: Scheme,
    request: BuildRequest,
    root: Path,
    report: CorpusReport,
    held_out: dict[str, bool | None],
) -> list[Row]:
    """Write the WAVs of all clips, those of a killed build excepted, and return their rows without a split.

    What the corpus' own split says of each group is added to `held_out`.
    """
    done = _read_journal(root)
    clips = corpus.clips(request.n_clips, clip_s=request.clip_s, seed=request.seed, report=report)
    total = request.n_clips if request.n_clips < ALL_CLIPS else None
    rows: list[Row] = []

    def embedded() -> Iterator[tuple[list[Clip], "_Embedded"]]:
        for block in _blocks(progress(clips, f"embedding {scheme.name}", total=total)):
            held_out.update({clip.group: clip.held_out for clip in block})
            new = [clip for clip in block if clip.clip_id not in done]
            with _room_for(corpus):
                pairs = _embed(new, scheme, request.seed)
            yield block, pairs

    def written(one: tuple[list[Clip], "_Embedded"]) -> tuple[list[Clip], list[list[Row]]]:
        return one[0], _write_pairs(one[1], root)

    with (root / _JOURNAL).open("a", encoding="utf-8") as journal:
        # A block is written while the next is embedded.
        for block, pairs in map_ahead(written, embedded(), threads=1, ahead=2):
            for twins in pairs:
                done[twins[0].clip_id] = twins
                journal.write(json.dumps([asdict(row) for row in twins]) + "\n")
            journal.flush()
            rows += [row for clip in block for row in done[clip.clip_id]]
    return rows


@contextmanager
def _room_for(corpus: Corpus) -> Iterator[None]:
    """Leave a core to a corpus that decodes ahead in threads of its own.

    torch waits for its threads in a loop: with more of them than free cores it does little else (measured: 3 times as
    slow). On two cores this is also one thread for the embedder, the same on every such machine.
    """
    from threadpoolctl import threadpool_limits

    if not getattr(corpus, "reads_ahead", False):
        yield
        return
    with threadpool_limits(max(1, n_cores() - 1)):
        yield


def _blocks(clips: Iterable[Clip]) -> Iterator[list[Clip]]:
    iterator = iter(clips)
    while block := list(islice(iterator, _BLOCK)):
        yield block


def _read_journal(root: Path) -> dict[str, list[Row]]:
    """Return the pairs that a killed build finished: those whose files still have the journal's hashes."""
    path = root / _JOURNAL
    if not path.is_file():
        return {}
    done = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            twins = [Row.from_json(record) for record in json.loads(line)]
        except json.JSONDecodeError:
            # The line that the kill cut off; its clips are embedded again.
            continue
        files = [(root / row.path, row.sha256) for row in twins]
        if all(file.is_file() and sha256_file(file) == sha256 for file, sha256 in files):
            done[twins[0].clip_id] = twins
    return done


_Embedded = list[tuple[Clip, NDArray[np.uint8], Audio]]
"""Clips with their messages and their watermarked twins."""


def _embed(clips: list[Clip], scheme: Scheme, seed: int) -> _Embedded:
    """Embed a block of clips."""
    if not clips:
        return []
    n_bits = scheme.watermarker.message_bits
    messages = np.stack([_message(clip.clip_id, n_bits, seed) for clip in clips])
    # The host is the clip as written, so that rounding touches both twins alike and only the watermark differs.
    marked = scheme.watermarker.embed(np.stack([from_pcm(clip.pcm) for clip in clips]), messages)
    return list(zip(clips, messages, marked, strict=True))


def _write_pairs(embedded: _Embedded, root: Path) -> list[list[Row]]:
    """Write clean and watermarked WAVs through the same path."""
    pairs = []
    for clip, message, audio in embedded:
        pcm = to_pcm(audio)
        bits = "".join(map(str, message))
        snr = _snr_db(clip.pcm, pcm)
        pairs.append([_write(clip, CLEAN, clip.pcm, "", None, root), _write(clip, WATERMARKED, pcm, bits, snr, root)])
    return pairs


def _write(clip: Clip, label: str, pcm: Pcm, message: str, snr_db: float | None, root: Path) -> Row:
    path = f"{label}/{clip.clip_id}.wav"
    sha256 = write_wav(root / path, pcm)
    about = (clip.caption, clip.aspects, clip.audioset_labels)
    return Row(clip.clip_id, clip.group, clip.source, clip.start_s, "", label, path, message, snr_db, sha256, *about)


def _message(clip_id: str, n_bits: int, seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(derive_seed(seed, clip_id, "message")).integers(0, 2, n_bits, dtype=np.uint8)


def _snr_db(clean: Pcm, marked: Pcm) -> float | None:
    """Power of the clip over power of the watermark, in dB; None where the watermark rounded to nothing."""
    ratio = float(snr_db(from_pcm(clean)[None], from_pcm(marked)[None])[0])
    return round(ratio, 3) if np.isfinite(ratio) else None


def _detectable(rows: list[Row]) -> dict[str, float | int | None]:
    """Return what drop of a TPR the gate can find on the test pairs; None where there is none that it finds."""
    groups = [row.group for row in rows if row.split == "test" and row.label == WATERMARKED]
    size = (len(groups), len(set(groups)))
    drops = {
        name: detectable_drop(*size, by_group=by_group)
        for name, by_group in (("spread_over_clips", False), ("whole_recordings", True))
    }
    known = {name: None if np.isnan(drop) else round(drop, 3) for name, drop in drops.items()}
    return {"test_clips": size[0], "test_recordings": size[1], "power": 0.8, **known}


def _facts(
    rows: list[Row],
    scheme: Scheme,
    asked: dict[str, object],
    request: BuildRequest,
    report: CorpusReport,
    manifest_sha256: str,
) -> dict[str, object]:
    snrs = [row.snr_db for row in rows if row.snr_db is not None]
    pairs_of = {split: sum(row.split == split for row in rows) // 2 for split in sorted({row.split for row in rows})}
    return {
        **asked,
        "scheme_weights_sha256": scheme.weights_sha256,
        "sample_rate": SAMPLE_RATE,
        "n_samples": clip_samples(request.clip_s),
        "n_pairs": len(rows) // 2,
        "n_groups": len({row.group for row in rows}),
        "pairs_per_split": pairs_of,
        "detectable_drop": _detectable(rows),
        "median_watermark_snr_db": round(float(np.median(snrs)), 3) if snrs else None,
        "unmarked_pairs": len(rows) // 2 - len(snrs),
        "skipped_near_silent": report.near_silent,
        "skipped_too_short": report.too_short,
        "skipped_bad_files": report.bad_files,
        "skipped_unavailable": dict(sorted(report.unavailable.items())),
        "manifest_sha256": manifest_sha256,
        "packages": package_versions(),
    }
