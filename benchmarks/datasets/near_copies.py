"""How many copies of recordings are found among many clips, and how many clips are taken for copies that are none.

    python -m benchmarks.datasets.near_copies MUSIC

MUSIC is a folder with folders of short clips, one a recording. Copies are MP3 at 64 kbit/s of some of the clips, up to
12 dB softer, and cut 0 to 0.7 s later.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from sealproof.attacks import get_attack
from sealproof.detectors.base import Audio
from sealproof.harness.foundation.audio.files import SAMPLE_RATE, is_audio_name, read_clip, read_info
from sealproof.harness.foundation.audio.fingerprint import find_copies

OFFSETS_S = (0.0, 0.2, 0.5, 0.7)


def main() -> None:
    """Read the command line and print the shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("music", type=Path)
    parser.add_argument("--copies", type=int, default=400)
    options = parser.parse_args()
    paths = sorted(path for path in options.music.rglob("*") if is_audio_name(path))
    recordings = sorted({path.parent for path in paths})
    clips = [read_clip(path, 0.0, int(read_info(path).duration_s * SAMPLE_RATE)) for path in paths]
    rng = np.random.default_rng(0)
    originals = rng.choice(len(clips), options.copies, replace=False)
    offsets = rng.choice(OFFSETS_S, options.copies)
    codec = get_attack("mp3.64kbps")

    def copy(clip: Audio, offset_s: float) -> Audio:
        softer = clip * np.float32(10 ** (rng.uniform(-12, 0) / 20))
        return codec(softer[None], SAMPLE_RATE, [0])[0][round(offset_s * SAMPLE_RATE) :]

    copies = [copy(clips[at], offset_s) for at, offset_s in zip(originals, offsets, strict=True)]
    belongs = [recordings.index(path.parent) for path in paths]
    everything = [*clips, *copies]
    apart = [*belongs, *range(len(recordings), len(recordings) + len(copies))]
    started = time.process_time()
    found = find_copies(everything.__getitem__, apart)
    seconds = time.process_time() - started
    right = {
        one.second - len(clips)
        for one in found
        if one.first < len(clips) <= one.second and belongs[one.first] == belongs[originals[one.second - len(clips)]]
    }
    print(f"{len(clips)} clips of {len(recordings)} recordings, {seconds:.0f} s of a processor")
    for offset_s in OFFSETS_S:
        those = np.flatnonzero(offsets == offset_s)
        print(f"cut {offset_s} s later: {sum(int(at) in right for at in those)} of {len(those)} copies found")
    others = [one for one in found if one.second < len(clips)]
    named = sorted({tuple(sorted((paths[one.first].parent.name, paths[one.second].parent.name))) for one in others})
    print(f"{len(others)} pairs of clips of {len(named)} pairs of recordings besides: {named}")


if __name__ == "__main__":
    main()
