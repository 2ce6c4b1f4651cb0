"""Time a mimic against the detectors it stands for: clips of 1 s per second, in one run on the same clips.

    python -m benchmarks.detectors.mimic_speed
    OMP_NUM_THREADS=1 python -m benchmarks.detectors.mimic_speed --threads 1
    python -m benchmarks.detectors.mimic_speed --mimic data/mine/mimics/distilled_cnn --clips 128 --rounds 9

Run by hand from the repository's root; it is no test. The mimic is scored as in a run (`Mimic.detect`, Keras) and, with
the extra `onnx`, as its exported file by onnxruntime. The references are the detector of `audioseal_mini` and one of
AudioSeal's published size with random weights, as time does not depend on them, both as in a run (sealproof's folded
detector, faster than the package's own). All take turns on the same batch; the best round of each counts. Processor
time, of all threads, is given beside wall time: on a busy machine it is the one to trust.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sealproof.detectors.base import Audio

FULL, MINI = "published size", "audioseal_mini"

BATCH = 64
"""Clips that onnxruntime gets at a time, as Keras does in a run."""

Way = Callable[[Audio], object]


@dataclass
class Best:
    """Shortest time of any round, in seconds."""

    wall_s: float = float("inf")
    processor_s: float = float("inf")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mimic", default="distilled_cnn", help="a folder, or one that ships (default distilled_cnn)")
    parser.add_argument("--clips", type=int, default=64, help="default 64")
    parser.add_argument("--rounds", type=int, default=5, help="best of (default 5)")
    parser.add_argument("--threads", type=int, help="of torch, tensorflow and onnxruntime alike (default: their own)")
    options = parser.parse_args()
    from sealproof.attacks.testing import music_like

    _limit_threads(options.threads)
    clips = music_like(options.clips, 16_000, 16_000)
    references = _references()
    mimics = _mimics(options.mimic, options.threads)
    best = _best({**references, **mimics}, clips, options.rounds)
    threads = f"{options.threads} thread(s)" if options.threads else "threads as the libraries choose"
    print(f"{options.clips} clips of 1 s in a batch, best of {options.rounds} rounds, {threads}, load {_load()}")
    print("ratio: reference's time over the mimic's; above 1 the mimic is faster\n")
    print("| detector | clips/s, wall | clips/s, processor | ratio to published size: wall (processor) | to mini |")
    print("|---|---:|---:|---:|---:|")
    for name, taken in best.items():
        speed = f"{options.clips / taken.wall_s:.0f} | {options.clips / taken.processor_s:.0f}"
        ratios = (
            f"{best[reference].wall_s / taken.wall_s:.1f} ({best[reference].processor_s / taken.processor_s:.1f})"
            for reference in (FULL, MINI)
        )
        print(f"| {name} | {speed} | {' | '.join(ratios)} |")


def _limit_threads(threads: int | None) -> None:
    """Give all three libraries equally many threads; OMP_NUM_THREADS alone binds torch and not the others."""
    if threads is None:
        return
    import torch

    from sealproof.detectors.mimics.keras_runtime import import_keras

    # Tensorflow takes them only before it starts, which importing Keras does.
    os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = str(threads)
    import_keras()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    torch.set_num_threads(threads)


def _references() -> dict[str, Way]:
    from sealproof.detectors import get_scheme
    from sealproof.detectors.audioseal.models import AudioSealDetector
    from sealproof.detectors.audioseal.nets import build_net, published_config

    full = build_net("detector", published_config("detector")).eval().requires_grad_(False)
    return {FULL: AudioSealDetector(full, FULL).detect, MINI: get_scheme("audioseal_mini").detector.detect}


def _mimics(mimic: str, threads: int | None) -> dict[str, Way]:
    from sealproof.harness.training.mimics.export_onnx import export_onnx, find_mimic, missing_packages

    trained = find_mimic(mimic)
    ways: dict[str, Way] = {f"{trained.name}, Keras": trained.detector().detect}
    missing = missing_packages()
    if missing:
        print(f"Without onnxruntime: {', '.join(missing)} not installed.")
        return ways
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads or 0
    # A waiting thread would count as processor time of whoever is measured next.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    with tempfile.TemporaryDirectory() as folder:
        content = export_onnx(mimic, Path(folder) / "mimic.onnx").path.read_bytes()
    session = onnxruntime.InferenceSession(content, settings, providers=["CPUExecutionProvider"])

    def score(clips: Audio) -> None:
        for at in range(0, len(clips), BATCH):
            session.run(["score"], {"waveform": clips[at : at + BATCH]})

    return {**ways, f"{trained.name}, onnxruntime": score}


def _best(ways: dict[str, Way], clips: Audio, rounds: int) -> dict[str, Best]:
    best = {name: Best() for name in ways}
    for number in range(rounds + 1):  # the first round warms up
        for name, score in ways.items():
            wall, processor = time.perf_counter(), time.process_time()
            score(clips)
            wall_s, processor_s = time.perf_counter() - wall, time.process_time() - processor
            if number:
                best[name].wall_s = min(best[name].wall_s, wall_s)
                best[name].processor_s = min(best[name].processor_s, processor_s)
    return best


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


if __name__ == "__main__":
    main()
