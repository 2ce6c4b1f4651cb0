"""Building a dataset: watermark a corpus, split it by group, write it so that a killed build resumes."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.verification.measure import snr_db
from sealproof.detectors import get_scheme
from sealproof.detectors.base import Scheme, check_marked, require_sample_rate
from sealproof.detectors.files import TEMPORARY
from sealproof.harness.corpora.base import ALL_CLIPS, BADLY_CLIPPED, Clip, Corpus, CorpusReport, clip_samples
from sealproof.harness.datasets.content_keys import marking_version
from sealproof.harness.datasets.dataset import FACTS, MANIFEST, REQUEST, Dataset
from sealproof.harness.datasets.links import refuse_links
from sealproof.harness.datasets.manifest import CLEAN, WATERMARKED, Row, manifest_csv
from sealproof.harness.datasets.near_copies import near_copies
from sealproof.harness.datasets.same_audio import joined_groups, joined_sets, joined_text
from sealproof.harness.datasets.sources import Sources, from_json, read_sources, refuse_changed, sources_sha256, to_json
from sealproof.harness.datasets.split import split_by_corpus, split_by_group
from sealproof.harness.foundation.audio.files import SAMPLE_RATE, Audio, Pcm, clipped_share, from_pcm, to_pcm, write_wav
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.files import read_json, sha256_file, write_json, write_text
from sealproof.harness.foundation.parallel import map_ahead, n_cores
from sealproof.harness.foundation.progress import progress
from sealproof.harness.foundation.seeds import derive_seed
from sealproof.harness.foundation.versions import package_versions
from sealproof.harness.statistics.change.budget import ALLOWED_DROP, CELLS, POWER
from sealproof.harness.statistics.change.power import detectable_drop

_JOURNAL = "journal.jsonl"
_SOURCES, _CLIPPED = "sources", "clipped"
_CLIPPED_CLIPS = 0.10
"""Share of badly clipped clips above which something is wrong with all of them."""

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
    began_with = _sources_there(root, asked)
    sources = read_sources(corpus.sources(), began_with or {})
    if began_with is not None and _is_begun(root):
        refuse_changed(root, began_with, sources)
    if (root / FACTS).is_file():
        return Dataset.open(root), None
    scheme.require_ready()
    require_sample_rate(scheme.name, "watermarker", scheme.watermarker.sample_rate, SAMPLE_RATE)
    write_json(root / REQUEST, {**asked, _SOURCES: to_json(sources)})
    report = CorpusReport()
    held_out: dict[str, bool | None] = {}
    clipped: list[float] = []
    rows = _watermark(corpus, scheme, request, root, report, held_out, clipped)
    refuse_changed(root, sources, read_sources(corpus.sources(), sources))
    if not rows:
        raise HarnessError(f"The corpus must hold at least one usable clip. Got {report.sentence()}.")
    _refuse_clipped("The corpus'", report.badly_clipped, report.taken)
    _refuse_clipped(f"{scheme.name}'s marked", sum(share > BADLY_CLIPPED for share in clipped), len(clipped))
    name_of = joined_groups(
        (row for row in rows if row.label == CLEAN), {name: source.sha256 for name, source in sources.items()}
    )
    joined = joined_sets(name_of)
    rows = [replace(row, group=name_of[row.group]) for row in rows]
    split_of = _split(rows, held_out, name_of, request.seed)
    rows = [replace(row, split=split_of[row.group]) for row in sorted(rows, key=lambda row: (row.clip_id, row.label))]
    write_text(root / MANIFEST, manifest_csv(rows))
    # Last, for it is what makes the dataset finished.
    made = {
        "sources_sha256": sources_sha256(sources),
        "joined_groups": joined,
        "near_copies": [one.record() for one in near_copies(root, rows, clip_samples(request.clip_s))],
        "clipped_watermarked": sum(share > 0 for share in clipped),
        "manifest_sha256": sha256_file(root / MANIFEST),
    }
    write_json(root / FACTS, {**_facts(rows, scheme, asked, request, report), **made})
    for leftover in (root / _JOURNAL, *root.rglob(f"*{TEMPORARY}")):
        leftover.unlink(missing_ok=True)
    return Dataset.open(root), report


def _is_begun(root: Path) -> bool:
    """Say whether something in a folder is of the files that its build began with; nothing is where none was marked."""
    journal = root / _JOURNAL
    return (root / FACTS).is_file() or (journal.is_file() and journal.stat().st_size > 0)


def _split(
    rows: list[Row], held_out: Mapping[str, bool | None], name_of: Mapping[str, str], seed: int
) -> dict[str, str]:
    """Keep the corpus' own split where it has one, else deal the groups out."""
    groups = [row.group for row in rows if row.label == CLEAN]
    joined = joined_sets(name_of)
    try:
        if None in held_out.values():
            return split_by_group(groups, derive_seed(seed, "split"))
        # Of groups that share audio one that is held out holds out the others.
        kept = {name_of[group] for group, is_held_out in held_out.items() if is_held_out}
        return split_by_corpus(groups, kept, derive_seed(seed, "split"))
    except HarnessError as error:
        raise HarnessError(f"{error} {joined_text(joined)}" if joined else str(error)) from error


def _refuse_clipped(whose: str, n_clipped: int, n_clips: int) -> None:
    if n_clipped > _CLIPPED_CLIPS * n_clips:
        raise HarnessError(
            f"{whose} clips must lie in [-1, 1]. In {n_clipped} of {n_clips} more than {BADLY_CLIPPED:.0%} of the "
            f"samples are beyond full scale, where 16 bits cut them off; allowed: {_CLIPPED_CLIPS:.0%} of the clips. "
            "Are they scaled as floats? Correct that, delete the folder and build again."
        )


def _sources_there(root: Path, asked: dict[str, object]) -> Sources | None:
    """Return the sources that a build of exactly this dataset began with, whether or not it is finished.

    None where there is no build; a folder that holds anything else is refused.
    """
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return None
    refuse_links(root)
    if not (root / REQUEST).is_file():
        raise HarnessError(f"--out must be a new or empty folder, or an earlier build. {root} holds something else.")
    try:
        there, wanted = read_json(root / REQUEST), json.loads(json.dumps(asked))
        sources = from_json(there.get(_SOURCES, {}))
    except (ValueError, TypeError, AttributeError) as error:
        raise HarnessError(
            f"{root / REQUEST} is damaged ({error}). Choose another --out, or delete the folder."
        ) from error
    changed = [key for key in wanted if there.get(key) != wanted[key]]
    if changed:
        raise HarnessError(
            f"{root} holds a dataset with another {', '.join(changed)}. Choose another --out, or delete the folder."
        )
    return sources


def _watermark(
    corpus: Corpus,
    scheme: Scheme,
    request: BuildRequest,
    root: Path,
    report: CorpusReport,
    held_out: dict[str, bool | None],
    clipped: list[float],
) -> list[Row]:
    """Write the WAVs of all clips, those of a killed build excepted, and return their rows without a split.

    What the corpus' own split says of each group is added to `held_out`, and to `clipped` which share of each marked
    clip's samples 16 bits cut off.
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

    def written(one: tuple[list[Clip], "_Embedded"]) -> tuple[list[Clip], list[_Pair]]:
        return one[0], _write_pairs(one[1], root)

    with (root / _JOURNAL).open("a", encoding="utf-8") as journal:
        # A block is written while the next is embedded.
        for block, pairs in map_ahead(written, embedded(), threads=1, ahead=2):
            for pair in pairs:
                done[pair.twins[0].clip_id] = pair
                records = [asdict(row) for row in pair.twins]
                records[-1][_CLIPPED] = pair.clipped
                journal.write(json.dumps(records) + "\n")
            journal.flush()
            for clip in block:
                rows += done[clip.clip_id].twins
                clipped.append(done[clip.clip_id].clipped)
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


@dataclass(frozen=True)
class _Pair:
    """The rows of a clip and its marked twin, and which share of the twin's samples was cut off."""

    twins: list[Row]
    clipped: float


def _read_journal(root: Path) -> dict[str, _Pair]:
    """Return the pairs that a killed build finished: those whose files still have the journal's hashes."""
    path = root / _JOURNAL
    if not path.is_file():
        return {}
    done = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            records = json.loads(line)
            clipped = float(records[-1].pop(_CLIPPED))
            twins = [Row.from_json(record) for record in records]
        except (json.JSONDecodeError, KeyError):
            # The line that the kill cut off, or one of an earlier version; its clips are embedded again.
            continue
        files = [(root / row.path, row.sha256) for row in twins]
        if all(file.is_file() and sha256_file(file) == sha256 for file, sha256 in files):
            done[twins[0].clip_id] = _Pair(twins, clipped)
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
    batch = np.stack([from_pcm(clip.pcm) for clip in clips])
    batch.flags.writeable = False
    marked = scheme.watermarker.embed(batch, messages)
    check_marked(marked, batch, scheme.name)
    return list(zip(clips, messages, marked, strict=True))


def _write_pairs(embedded: _Embedded, root: Path) -> list[_Pair]:
    """Write clean and watermarked WAVs through the same path."""
    pairs = []
    for clip, message, audio in embedded:
        pcm = to_pcm(audio)
        bits = "".join(map(str, message))
        snr = _snr_db(clip.pcm, pcm)
        twins = [_write(clip, CLEAN, clip.pcm, "", None, root), _write(clip, WATERMARKED, pcm, bits, snr, root)]
        pairs.append(_Pair(twins, clipped_share(audio)))
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
    """Return what drop of one cell's TPR the gate finds on the test pairs; None where there is none that it finds."""
    sizes = Counter(row.group for row in rows if row.split == "test" and row.label == WATERMARKED)
    drops = {
        name: detectable_drop(list(sizes.values()), level=CELLS, by_group=by_group, allowed_drop=ALLOWED_DROP)
        for name, by_group in (("spread_over_clips", False), ("whole_recordings", True))
    }
    known = {name: None if np.isnan(drop) else drop for name, drop in drops.items()}
    return {"test_clips": sizes.total(), "test_recordings": len(sizes), "power": POWER, **known}


def _facts(
    rows: list[Row],
    scheme: Scheme,
    asked: dict[str, object],
    request: BuildRequest,
    report: CorpusReport,
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
        "clipped_clean": report.clipped,
        "resampled_files": report.resampled,
        "downmixed_files": report.downmixed,
        "skipped_bad_files": report.bad_files,
        "skipped_unavailable": dict(sorted(report.unavailable.items())),
        "packages": package_versions(),
    }
