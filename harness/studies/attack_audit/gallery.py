"""`sealproof attacks verify`: the attacks on real clips, as a table, a CSV and a gallery."""

import html
import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from sealproof.attacks.contract.base import Attack
from sealproof.attacks.contract.chain import Chain
from sealproof.attacks.contract.knowledge import Knowledge
from sealproof.attacks.verification.verify import Status
from sealproof.detectors.base import Audio
from sealproof.harness.corpora.base import Corpus, CorpusReport
from sealproof.harness.datasets.attacker_knowledge import N_OTHERS, watermarkers
from sealproof.harness.foundation.audio.files import SAMPLE_RATE, from_pcm
from sealproof.harness.foundation.audio.spectrogram import level_db
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.files import write_atomically, write_text
from sealproof.harness.foundation.progress import progress
from sealproof.harness.studies.attack_audit.catalogue import sentence
from sealproof.harness.studies.attack_audit.check import Clips, check, clip_seed
from sealproof.harness.tables.attacks import Checked, attacks_csv, duplicates

CSV, GALLERY, PICTURES = "attacks.csv", "index.html", "pictures"

_N_THREADS = 2


def read_marked_clips(corpus: Corpus, n_clips: int, scheme: str, seed: int) -> Clips:
    """Read clips to verify attacks on, and mark them.

    Args:
        corpus: Where they come from.
        n_clips: How many; as many more as watermark-aware attacks draw from are read beside them.
        scheme: What they are marked with.
        seed: Decides which clips, and the messages.

    Raises:
        HarnessError: The corpus has too few clips.
        sealproof.detectors.base.DetectorError: The scheme cannot run here.
    """
    report = CorpusReport()
    pcm = [clip.pcm for clip in corpus.clips(n_clips + N_OTHERS, clip_s=1.0, seed=seed, report=report)]
    if len(pcm) < n_clips + N_OTHERS:
        raise HarnessError(
            f"Verifying on {n_clips} clips needs {n_clips + N_OTHERS} of one second, {N_OTHERS} of them for "
            f"watermark-aware attacks to draw from. The corpus {corpus.name} has {report.sentence()}."
        )
    clean = from_pcm(np.stack(pcm))
    known = watermarkers(scheme)
    marked = known["same"](clean, [seed + index for index in range(len(clean))])
    knowledge = Knowledge(clean[:n_clips], clean[n_clips:], marked[n_clips:], known)
    return Clips(marked[:n_clips], SAMPLE_RATE, knowledge)


def check_all(attacks: Sequence[Attack], clips: Clips, seed: int) -> list[Checked]:
    """Verify attacks, several at a time, with a progress bar; of each kind the first one's form, too."""
    first = {attack.id if isinstance(attack, Chain) else attack.name: attack.id for attack in reversed(attacks)}
    with ThreadPoolExecutor(_N_THREADS) as workers:
        done = workers.map(lambda attack: check(attack, clips, seed, contract=attack.id in first.values()), attacks)
        return list(progress(done, "verifying", total=len(attacks)))


def problems(checked: Sequence[Checked]) -> list[str]:
    """Return what is wrong, one line each: failures, broken claims, claims that nothing measured, duplicates."""
    same_as = duplicates(checked)
    complaints: list[str] = []
    for each in checked:
        if each.error is not None:
            complaints.append(f"{each.attack.id}: {each.error}")
        complaints += [f"{each.attack.id}: {complaint}" for complaint in each.broken]
        complaints += [
            f"{each.attack.id}: {quantity} is claimed, but no clip allows to measure it."
            for quantity in each.unmeasured
        ]
        if each.attack.id in same_as and not each.attack.is_control:
            complaints.append(f"{each.attack.id}: does the same as {same_as[each.attack.id]}, bit for bit.")
    return complaints


def table(checked: Sequence[Checked]) -> Iterator[str]:
    """Yield the table for the terminal: each attack with what it claims and what was measured."""
    same_as = duplicates(checked)
    width = max(len(each.attack.id) for each in checked)
    yield f"{'attack':{width}}  {'':6}  {'ms':>7}  claimed quantities: median measured (claimed)"
    for each in checked:
        if each.record is None:
            yield f"{each.attack.id:{width}}  failed  {'':>7}  {each.error}"
            continue
        bad = each.error or each.broken or each.unmeasured or (each.attack.id in same_as and not each.attack.is_control)
        claimed = [_claim_text(verdict) for verdict in each.record["verdicts"] if verdict["status"]]
        if each.attack.id in same_as:
            claimed.append(f"same as {same_as[each.attack.id]}")
        yield f"{each.attack.id:{width}}  {'FAILED' if bad else 'ok':6}  {each.ms_per_clip:7.2f}  {'; '.join(claimed)}"


def write_csv(checked: Sequence[Checked], path: Path) -> None:
    """Write what was claimed and measured, one row for each attack and quantity."""
    write_text(path, attacks_csv(checked))


def write_gallery(checked: Sequence[Checked], clips: Clips, seed: int, folder: Path) -> Path:
    """Draw each attack on one clip, before, after and the difference, and write a page that shows them all.

    The clip is the one whose level lies in the middle. Returns the path of the page.
    """
    level = np.mean(clips.audio.astype(np.float64) ** 2, axis=1)
    middle = int(np.argsort(level)[len(level) // 2])
    one_clip = slice(middle, middle + 1)
    before, knowledge = clips.audio[one_clip], clips.knowledge.of(one_clip)
    for each in progress(checked, "drawing", total=len(checked)):
        if each.record is not None:
            attacked = each.attack(before, clips.sample_rate, [clip_seed(each.attack, seed, middle)], knowledge)
            _draw(before[0], attacked[0], folder / PICTURES / f"{each.attack.id}.png")
    write_text(folder / GALLERY, _page(checked))
    return folder / GALLERY


def _claim_text(verdict: dict[str, Any]) -> str:
    low, high = verdict["claimed_low"], verdict["claimed_high"]
    wanted = f">= {low:g}" if np.isinf(high) else f"<= {high:g}" if np.isinf(low) else f"{low:g} to {high:g}"
    state = "" if verdict["status"] == Status.KEPT else f" {verdict['status'].upper()}"
    return f"{verdict['quantity']} {verdict['median']:.4g} ({wanted}){state}"


def _draw(before: Audio, after: Audio, path: Path) -> None:
    from matplotlib.figure import Figure

    panels = {"before": before, "after": after}
    if before.shape == after.shape:
        panels["difference"] = after - before
    figure: Figure = Figure(figsize=(9, 2.4), layout="constrained")
    axes = figure.subplots(1, 3, sharey=True)
    for place, (title, audio) in zip(axes, panels.items(), strict=False):
        edges = (0, audio.size / SAMPLE_RATE, 0, SAMPLE_RATE / 2)
        place.imshow(level_db(audio), origin="lower", aspect="auto", extent=edges, vmin=-100, vmax=-20, cmap="magma")
        place.set_title(title, fontsize=9)
        place.set_xlabel("s", fontsize=8)
    for place in axes[len(panels) :]:
        place.set_axis_off()
    axes[0].set_ylabel("Hz", fontsize=8)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=80)
    write_atomically(path, lambda file: file.write(picture.getvalue()))


def _page(checked: Sequence[Checked]) -> str:
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>sealproof: the attacks</title>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'><style>",
        "body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}",
        "img{width:100%;max-width:720px}code{font-size:95%}.bad{color:#b00020}h3{margin:1.5rem 0 .2rem}",
        "p{margin:.2rem 0}@media(prefers-color-scheme:dark){body{background:#121212;color:#ddd}.bad{color:#ff8a80}}",
        "</style></head><body><h1>The attacks</h1>",
        "<p>Spectrograms of one clip before and after each attack, and of the difference where the length is kept.</p>",
    ]
    family = ""
    for each in sorted(checked, key=lambda each: each.attack.family):
        if each.attack.family != family:
            family = each.attack.family
            parts.append(f"<h2>{html.escape(family)}</h2>")
        parts.append(f"<h3><code>{html.escape(each.attack.id)}</code></h3>")
        parts.append(f"<p>{html.escape(sentence(type(each.attack)))}</p>")
        wrong = [*([each.error] if each.error else []), *each.broken, *each.unmeasured]
        if wrong:
            parts.append(f"<p class='bad'>{html.escape('; '.join(wrong))}</p>")
        if each.record is not None:
            claims = "; ".join(_claim_text(verdict) for verdict in each.record["verdicts"] if verdict["status"])
            parts.append(f"<p>{html.escape(claims)}</p>")
            source = html.escape(f"{PICTURES}/{each.attack.id}.png".replace("+", "%2B"))
            parts.append(f"<img loading='lazy' alt='spectrograms of {html.escape(each.attack.id)}' src='{source}'>")
    return "".join([*parts, "</body></html>\n"])
