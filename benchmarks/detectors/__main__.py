"""Score clips with AudioSeal-type detectors: our way against the audioseal package's, in one run.

    python benchmarks/detectors/__main__.py
    python benchmarks/detectors/__main__.py --clips 64 --cold

Run by hand; it is no test. For `audioseal_mini` and for the published size (random weights: time does not depend on
them) it times the package's `detect_watermark` clip by clip, without compiling, and sealproof's detector on the same
clips, taking turns, and prints milliseconds per clip, the ratio, and the largest difference of any sample's P. Then the
generators. `--cold` adds what the first calls cost in a fresh process: the package as it comes, whose generator
compiles itself, and ours.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

ROUNDS = 5


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=32)
    parser.add_argument("--threads", type=int, help="torch's CPU threads (default: its own choice)")
    parser.add_argument("--cold", action="store_true", help="also time a first call, in fresh processes (minutes)")
    parser.add_argument("--first-call", choices=["ours", "package"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    import torch

    if options.threads:
        torch.set_num_threads(options.threads)
    if options.first_call:
        _first_call(options.first_call)
        return
    print(f"{options.clips} clips of 1 s, {torch.get_num_threads()} threads, best of {ROUNDS} rounds\n")
    print(f"{'network':24} {'package ms':>10} {'ours ms':>8} {'ratio':>6}  largest difference")
    for size in ("audioseal_mini", "published size"):
        _compare(size, options.clips)
    if options.cold:
        for whose in ("package", "ours"):
            subprocess.run([sys.executable, __file__, "--first-call", whose], check=True, stderr=subprocess.DEVNULL)


def _nets(size: str) -> tuple[Any, Any]:
    from sealproof.detectors.audioseal.mini import shipped_net
    from sealproof.detectors.audioseal.nets import build_net, load_net, published_config

    if size == "audioseal_mini":
        return load_net(shipped_net("generator")), load_net(shipped_net("detector"))
    generator, detector = (build_net(kind, published_config(kind)) for kind in ("generator", "detector"))
    return generator.eval().requires_grad_(False), detector.eval().requires_grad_(False)


def _compare(size: str, n: int) -> None:
    import numpy as np
    import torch

    from sealproof.attacks.testing import music_like
    from sealproof.detectors.audioseal.models import AudioSealDetector, AudioSealWatermarker
    from sealproof.detectors.audioseal.nets import uncompiled

    generator, detector = _nets(size)
    clips = music_like(n, 16_000, 16_000)
    tensors = torch.from_numpy(clips[:, None])
    messages = np.random.default_rng(0).integers(0, 2, (n, 16), dtype=np.uint8)
    ours, embedder = AudioSealDetector(detector, size), AudioSealWatermarker(generator, size)
    with torch.no_grad(), uncompiled():
        frames = torch.cat([detector(clip[None])[0][:, 1] for clip in tensors]).numpy()

        def package_detects() -> None:
            for clip in tensors:
                detector.detect_watermark(clip[None])

        def package_embeds() -> None:
            for clip, message in zip(tensors, torch.from_numpy(messages.astype(np.int64)), strict=True):
                generator(clip[None], message=message[None])

        package, mine = _best(package_detects, lambda: ours.detect(clips))
        difference = np.abs(ours.detect(clips).frames - frames).max()
        _print(f"detect {size}", package / n, mine / n, f"{difference:.1e}")
        package, mine = _best(package_embeds, lambda: embedder.embed(clips, messages))
        _print(f"embed {size}", package / n, mine / n, "")


def _best(first: Callable[[], object], second: Callable[[], object]) -> tuple[float, float]:
    """Shortest time of either, in seconds; they take turns, so that a busy moment hits both."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for function, taken in zip((first, second), times, strict=True):
            started = time.perf_counter()
            function()
            taken.append(time.perf_counter() - started)
    return min(times[0]), min(times[1])


def _print(what: str, package_s: float, ours_s: float, difference: str) -> None:
    print(
        f"{what:24} {1000 * package_s:10.1f} {1000 * ours_s:8.1f} {package_s / ours_s:6.1f}  {difference}", flush=True
    )


def _first_call(whose: str) -> None:
    import numpy as np
    import torch

    from sealproof.attacks.testing import music_like
    from sealproof.detectors.audioseal.models import AudioSealDetector, AudioSealWatermarker

    generator, detector = _nets("published size")
    clips = music_like(1, 16_000, 16_000)
    messages = np.zeros((1, 16), np.uint8)
    started = time.perf_counter()
    if whose == "ours":
        AudioSealWatermarker(generator, "published size").embed(clips, messages)
    else:
        with torch.no_grad():
            generator(torch.from_numpy(clips[:, None]), message=torch.zeros(1, 16, dtype=torch.int64))
    embedded = time.perf_counter()
    if whose == "ours":
        AudioSealDetector(detector, "published size").detect(clips)
    else:
        with torch.no_grad():
            detector.detect_watermark(torch.from_numpy(clips[:, None]))
    print(
        f"first call in a fresh process, {whose}, published size: embed {embedded - started:.2f} s, "
        f"detect {time.perf_counter() - embedded:.2f} s"
    )


if __name__ == "__main__":
    main()
