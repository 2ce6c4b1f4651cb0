"""What every file of a run is, and every column of its tables: with `metrics`, the data dictionary as data."""

from collections.abc import Mapping

CLIPS, SUMMARY, MARKDOWN, PICTURE, RUN = "clips.csv", "summary.csv", "summary.md", "summary.png", "run.json"
ATTACKS, BREAK_POINTS = "attacks.csv", "break_points.csv"
GATE = "gate.csv"
ADVERSARY = "adversary.csv"

FILES: Mapping[str, str] = {
    "summary.csv": "one number a row: dataset, scheme, attack, detector, threshold rule, metric, value, 95 % interval",
    "break_points.csv": "for each sweep of a strength and each detector, the strength at which detection breaks",
    "summary.md": "the summary as tables for people, one for each threshold rule",
    "summary.png": "accuracy of every detector and agreement of every mimic, cell by cell, with intervals",
    "attacks.csv": "what each attack claims and what was measured of it on the attacked clips",
    "clips.csv": "one row per clip, attack and detector: score, decisions, bits, SNR",
    "run.json": "the facts of the run, once: versions, hashes, seed, thresholds, machine, seconds per cell, hashes of "
    "the files",
}
"""Files that a run writes."""

_CELL = {
    "dataset": "name of the dataset's folder",
    "scheme": "name of the watermark scheme",
    "attack": "name of the attack; `identity` is the unattacked test split",
    "params": "its parameters, `name=value` joined by `;` (units are in the names); `-` where it has none, never empty",
}

_SUMMARY = {
    **_CELL,
    "detector": "whose number it is; empty for a number about the attacked audio",
    "role": "`reference`, `mimic`, or `attack` for a number about the attacked audio",
    "threshold_rule": "how scores became decisions, see below; empty where no threshold is involved",
    "metric": "see below",
    "value": "the estimate",
    "ci_low": "lower end of its 95 % interval; empty where it is not known, as for p values",
    "ci_high": "upper end",
    "n_clips": "clips it is taken over",
    "n_groups": "groups (recordings) these are from",
    "status": "`ok`; `failed`: the cell has one row and no numbers; or `no_threshold`: the calibration clips are too "
    "few for the rule, so the number is empty",
    "error": "why it failed, or how many calibration clips the rule takes",
}

_BREAK_POINTS = {
    **_CELL,
    "params": "the attack's parameters that are held fixed; `-` where it has no other",
    "parameter": "its parameter that varies",
    "detector": "whose break point it is",
    "role": "`reference` or `mimic`",
    "status": "`crosses`: detection falls below the level once, at `value`; `never`: it stays above at all strengths "
    "tried; `always`: it is below at the weakest already; `not_monotone`: it falls below and comes back, so there is "
    "no one such strength; `no_threshold`: the calibration clips are too few for the rule",
    "value": "the strength at which the TPR, at the threshold of rule `fpr_1pct`, crosses 0.5: between two strengths "
    "that were tried",
    "ci_low": "lower end of its 95 % interval, in the unit of the parameter; `inf` or `-inf` beyond the strengths that "
    "were tried, empty where it is not known",
    "ci_high": "upper end",
    "weakest": "the weakest strength that was tried; the greater number, where less is stronger (a bitrate)",
    "strongest": "the strongest",
    "n_strengths": "number of strengths, at least 3",
    "n_clips": "watermarked clips at each of them",
    "n_groups": "groups (recordings) these are from",
}

_ATTACKS = {
    "attack": "name of the attack",
    "params": "its parameters; `-` where it has none",
    "family": "heading under which the catalogue lists the attack",
    "label": "the clips it was measured on, judged on their own: `clean` or `watermarked`",
    "quantity": "what was measured, with its unit",
    "claimed_low": "lower end of the range in which the attack says it lies; empty for no bound, or where nothing was "
    "claimed",
    "claimed_high": "upper end",
    "median": "over the clips that allow the measurement; of `is_noop` their share. `inf` and `-inf` were measured, "
    "too: nothing changed, or nothing is left",
    "low": "the smallest of these",
    "high": "the largest",
    "n_clips": "their number",
    "n_unjudged": "clips that do not allow it: silent ones, say, or for a delay, those that have nothing in common "
    "with what came out; for `is_noop`, those that the attack may rightly leave alone",
    "status": "`kept`, `broken`, `unmeasured` (no clip allows it), `failed` (the attack itself failed), or empty where "
    "nothing was claimed",
    "duplicate_of": "an attack listed before that did the same to every clip, bit for bit",
    "error": "what is wrong, in words",
}

_CLIPS = {
    **_CELL,
    "clip_id": "as in the dataset's manifest",
    "group": "the recording, as in the manifest",
    "label": "`clean` or `watermarked`",
    "detector": "who scored it",
    "score": "the detector's score; higher is surer; scales differ between detectors",
    "decision_fixed": "1 when the score is above the detector's own threshold",
    "decision_fpr_1pct": "1 when it is above the threshold of rule `fpr_1pct`; empty where that has none",
    "bit_accuracy": "share of message bits decoded right; empty for clean clips and schemes without a message",
    "mean_probability": "mean of the probabilities of its frames; empty for detectors whose frames are none",
    "frame_iou": "overlap of the part that is flagged with the part that is marked; empty where all of it is, or none",
    "snr_db": "of this clip, as in summary.csv; `inf` when the attack changed nothing",
}

_RATE = {
    **_CELL,
    "detector": "whose rate it is",
    "threshold_rule": "`fixed` or `fpr_1pct`",
    "metric": "`accuracy`, `tpr` or `fpr`; of a mimic also `agreement`",
}

_GATED = {
    "threshold_rule": "`fixed` or `fpr_1pct`; `-` for `auc` and `bit_accuracy`, which have none",
    "metric": "`accuracy`, `tpr`, `fpr`, `auc`; `bit_accuracy` where there is a message; of a mimic also `agreement`",
    "role": "`reference` or `mimic`",
}

_BASELINE = {
    "dataset": _CELL["dataset"],
    "clips": "hash of which clips these are (ids, groups, length) and of the seeds",
    **{name: _GATED.get(name, text) for name, text in _RATE.items() if name != "dataset"},
    "role": _GATED["role"],
    "value": "the rate",
    "n_trials": "what it is taken over: clips, or what `unit` says",
    "unit": "`clips`; `bits` of marked clips; `pairs` of a marked and a clean clip, each counted for both recordings, "
    "a win 2 and a tie 1, so 4 times as many as there are",
    "n_groups": "groups (recordings) these are from",
    "successes": "clips (bits, pairs won) that count, group by group in the order of their names; `8x12` is twelve "
    "groups of 8",
    "trials": "clips (bits, pairs), group by group",
}

_GATE = {
    "scope": "`cell`, or `overall`: the mean over all cells of the session",
    "attack": "name of the attack; `-` where it is the mean",
    "params": "its parameters; `-` where it has none",
    "detector": "whose rate it is",
    "role": _GATED["role"],
    "threshold_rule": _GATED["threshold_rule"],
    "metric": _GATED["metric"],
    "before": "the rate in the baseline; empty where that lacks it",
    "after": "the rate now",
    "difference": "after minus before, on the same clips",
    "ci_low": "lower end of its 95 % interval, for this rate alone",
    "ci_high": "upper end",
    "allowed": "by how much it may get worse: see docs/gate.md",
    "p": "how often chance does as much (signs of the recordings flipped), adjusted for the rates of the cell, or for "
    "the means; a cell by itself is judged at 0.03 / cells, the means at 0.01",
    "p_together": "the same, adjusted for all cells of the session, too; judged at 0.03",
    "detectable": "smallest loss, of clips all over, that the cell by itself (the mean) finds in 80 % of cases where "
    "nothing else changes; empty where no loss is found so often, and for AUC and bits",
    "verdict": "`regression`, `collapse`, `unproven`, `at chance`, `improvement`, `changed`, `same`, `new`, or `not "
    "gated yet`: the baseline is from before such rates were",
    "collapsed": "recordings found before (3 of 4 clips and more) and not now (1 of 4 and fewer), where they fail the "
    "cell: names, with blanks between them",
}

_COMPARE = {
    **{name: text for name, text in _RATE.items() if name not in ("dataset", "threshold_rule", "metric")},
    "role": "`reference` or `mimic`",
    "threshold_rule": _RATE["threshold_rule"],
    "metric": _RATE["metric"],
    "before": "the rate in the first run",
    "after": "in the second",
    "difference": "after minus before, on the same clips",
    "ci_low": "lower end of its 95 % interval; empty where all clips are of one group",
    "ci_high": "upper end",
    "mcnemar_p": "p value of McNemar's exact test, clips taken for independent",
    "mcnemar_p_holm": "the same, adjusted for the number of attacks",
    "n_clips": "clips that both runs judged",
    "n_groups": "groups (recordings) these are from",
    "verdict": "`regression`: fell by more than is allowed, and the interval excludes zero; `unproven`: fell by more, "
    "but the interval holds zero; `improvement`; `changed`; `same`",
}

_CASE = {
    "imitator": "what is taught: a network, linear algebra; or a yardstick that needs no learning: `oracle_truth`, "
    "`oracle_attack_and_label` (the detector's most frequent answer to an attack and class, on validation clips), "
    "`detector_shifted` (the detector itself, hearing each clip one sample late), `mimic_NAME`",
    "access": "what the imitator is told: `labels` (the truth), or the detector's `decisions`, `clip_scores` or "
    "`scores` over time; empty for a yardstick, as are the others",
    "augment": "`plain`: all clips as they are; `altered`: half altered, two of three of these attacked and one mixed "
    "with other music; `altered:FAMILY+...` with these families of attacks only",
    "select": "how altered clips are chosen: `random`, `knockoff` (families of attacks by what they taught), `active` "
    "(those that the imitator is least sure of)",
    "data": "whose clips: `train`; `unheard` by the detector's training (validation and calibration splits); "
    "`without:SOURCE`, judged on that source; or another dataset's folder",
    "budget": "clips whose label or answer it gets",
    "steps": "training steps; 0 where it is not trained in steps",
}

_NUMBER = {
    "stratum": "`unattacked`; `attacked`: all attacks but `identity`; `half_failing`: attacks that leave the detector "
    "10 to 90 % of the marks; `detector_wrong`: clips on which it errs, attacked or not; `seen_families` and "
    "`unseen_families` of attacks, where families were left out",
    "label": "`all`, `clean` or `marked` clips",
    "metric": "`agreement` with the detector; `accuracy`; `kappa`: agreement beyond chance within each attack; "
    "`kappa_within`: within each attack and class, so that who knows attack and class alone has 0",
}

_EXTRACT = {
    **_CASE,
    "seed": "of whatever is drawn",
    "n_pairs": "training pairs that it learns from, of 2 clips each",
    "n_altered": "altered clips that it learns from",
    **_NUMBER,
    "value": "the estimate",
    "ci_low": "lower end of its 95 % interval, by recording",
    "ci_high": "upper end",
    "n_clips": "clips that it is taken over; each counts once for every attack",
    "n_groups": "groups (recordings) these are from",
    "n_cells": "attacks that it is taken over",
}

_EXTRACT_SEEDS = {
    **_CASE,
    **_NUMBER,
    "metric": f"{_NUMBER['metric']}; `agreement_of_seeds`: with the imitations of other seeds, mean over pairs of them",
    "mean": "over seeds",
    "deviation": "standard deviation over seeds; empty for one pair of them",
    "lowest": "of the seeds",
    "highest": "of the seeds",
    "n_seeds": "how many seeds",
}

OTHER_FILES: Mapping[str, str] = {
    "baseline.csv": "the rates that `pytest -m robustness` holds a run against; it is in version control",
    "gate.csv": "`pytest -m robustness`: every rate against the baseline, and the means over all cells",
    "compare.csv": "`sealproof compare`: the paired difference of every rate of two runs; also as .md and .html",
    "extract.csv": "`sealproof extract`: how faithful imitations are, by what they may know; also as .png, with "
    "`threat_model.md`",
    "extract_seeds.csv": "`sealproof extract` with several seeds: how far they differ",
    "report.html": "`sealproof report`: the run as a page; also .md and .tex, and the figures' numbers in `figures/`",
}
"""Files that other commands write."""

COLUMNS: Mapping[str, Mapping[str, str]] = {
    "summary.csv": _SUMMARY,
    "break_points.csv": _BREAK_POINTS,
    "attacks.csv": _ATTACKS,
    "clips.csv": _CLIPS,
    "baseline.csv": _BASELINE,
    GATE: _GATE,
    "compare.csv": _COMPARE,
    "extract.csv": _EXTRACT,
    "extract_seeds.csv": _EXTRACT_SEEDS,
}
"""By file, its columns in their order and what they mean."""

QUANTITIES: Mapping[str, str] = {
    "snr_db": "power of the clip over the power of what changed; not where time is moved",
    "level_change_db": "RMS after the attack over RMS before",
    "delay_samples": "lag of the highest cross-correlation of either sign, within 100 ms; positive is late",
    "length_samples": "samples that came out",
    "clipped_percent": "samples that stand at the clip's own peak; an unclipped clip has one",
    "correlation": "the correlation at that lag; negative where the polarity is the other",
    "own_clip": "share of the clips that became something more like them than like others; at least eight clips",
    "new_silence_ms": "by how much the longest digital silence in a clip grew",
    "is_noop": "share of the clips that came back bit for bit, or merely cut, from 0 to 1: of all clips of the cell",
    "bitrate_kbps": "of the coded audio, without the container, counted in the encoded file; codecs only",
    "read_again_db": "energy of the difference between the output and what another reader hears in the encoded file, "
    "over that of the latter; codecs only",
    "level_db": "level after over level before; this and what follows is held against bands measured on music",
    "tail_db": "the same of the last 50 ms, over that of the whole clip",
    "band_0_db": "the same below 500 Hz",
    "band_1_db": "from 500 to 1500 Hz",
    "band_2_db": "from 1500 to 4000 Hz",
    "band_3_db": "above 4000 Hz",
    "loss_db": "energy of the clip over that of the change; of the short-time magnitudes, where the waveform moves",
    "balance_db": "the loss of the first half less that of the second one",
    "timing_ms": "how late the short-time magnitudes come, where the waveform does not stay in place",
    "unmarked_from": "first sample of the stretch that carries no mark after the attack",
    "unmarked_to": "the sample behind its last",
}
"""What attacks.csv measures of every attack, or of many; others belong to one, which documents them."""
