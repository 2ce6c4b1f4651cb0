"""Measure the main job: seconds and peak memory of each step, each in a process of its own.

    python benchmarks/main_job.py --corpus demo --scheme perth --clips 1000
    python benchmarks/main_job.py --corpus PATH --scheme spread_spectrum --work DIR

Run by hand; it is no test. Steps: build, the same build again, train every mimic, run, the same run again. The two
repetitions must find everything done. Then the hot path against the obvious way: clips embedded, attacked and scored in
batches against one by one, as a ratio in the same process.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sealproof.detectors import Audio, Detector

SEALPROOF = [sys.executable, "-m", "sealproof"]


def main() -> None:
    """Run all steps and print one line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", default="demo")
    parser.add_argument("--scheme", default="perth")
    parser.add_argument("--clips", type=int)
    parser.add_argument("--attacks", default="fast")
    parser.add_argument("--work", type=Path, help="where to build (default: a temporary folder)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = options.work or Path(temporary)
        dataset, out = str(work / "dataset"), str(work / "results")
        build = ["build", "--corpus", options.corpus, "--scheme", options.scheme, "--out", dataset]
        build += ["--clips", str(options.clips)] if options.clips else []
        run = ["run", dataset, "--attacks", options.attacks, "--out", out]
        print(f"{'step':16} {'wall s':>8} {'cpu s':>8} {'peak MB':>8}")
        for name, arguments in (
            ("--help", ["--help"]),
            ("build", build),
            ("build again", build),
            ("train", ["train", dataset]),
            ("train again", ["train", dataset]),
            ("run", run),
            ("run again", run),
        ):
            _measure(name, arguments)
        _batch_ratios(options.scheme, Path(dataset))


def _measure(name: str, arguments: list[str]) -> None:
    started = time.perf_counter()
    with subprocess.Popen([*SEALPROOF, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{name} failed with {process.returncode}: {errors.decode()[-2000:]}")
    seconds = time.perf_counter() - started
    # Linux counts in KiB. Worker processes of the demo music are not in it; they end before the model is loaded.
    peak_mb = usage.ru_maxrss / 1024
    print(f"{name:16} {seconds:8.1f} {usage.ru_utime + usage.ru_stime:8.1f} {peak_mb:8.0f}", flush=True)


def _detecting(detector: "Detector", clips: "Audio") -> Callable[[slice], object]:
    return lambda part: detector.detect(clips[part])


def _batch_ratios(scheme_name: str, root: Path) -> None:
    """Print how much faster a batch of 64 is than 64 batches of one, for embedding and scoring."""
    import numpy as np

    from sealproof.detectors import get_scheme
    from sealproof.harness.datasets.dataset import Dataset, messages
    from sealproof.harness.training.mimics.trained import trained_mimics

    dataset = Dataset.open(root)
    pairs = dataset.split("test")[:64]
    scheme = get_scheme(scheme_name)
    clean = dataset.audio([pair.clean for pair in pairs])
    sent = messages([pair.watermarked for pair in pairs])
    steps: dict[str, Callable[[slice], object]] = {
        f"embed {scheme_name}": lambda part: scheme.watermarker.embed(clean[part], sent[part]),
        f"detect {scheme_name}": lambda part: scheme.detector.detect(clean[part]),
    }
    for mimic in trained_mimics(dataset):
        steps[f"detect {mimic.name}"] = _detecting(mimic.detector(), clean)
    print(f"\n{'64 clips':24} {'one by one ms':>14} {'batch ms':>10} {'ratio':>6}")
    for name, step in steps.items():
        step(slice(0, 2))
        single, batch = [], []
        for _ in range(3):
            started = time.perf_counter()
            for index in range(len(clean)):
                step(slice(index, index + 1))
            single.append(time.perf_counter() - started)
            started = time.perf_counter()
            step(slice(None))
            batch.append(time.perf_counter() - started)
        one, many = np.median(single) * 1e3 / len(clean), np.median(batch) * 1e3 / len(clean)
        print(f"{name:24} {one:14.2f} {many:10.2f} {one / many:6.2f}")


if __name__ == "__main__":
    main()
