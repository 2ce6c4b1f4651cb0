"""What an attack makes of a clip rests on the clip and its seed, not on how many threads a matrix product has."""

import json
import os
import subprocess
import sys

ATTACKED = """
import hashlib, json
from sealproof.attacks.selection import load_attacks
from sealproof.attacks.testing import music_like

clips, first = music_like(2, 16_000, 16_000), {}
for attack in load_attacks("full"):
    if not attack.needs_knowledge:
        first.setdefault(attack.name, attack)
print(json.dumps({
    attack.id: hashlib.sha256(attack.perform(clips, 16_000, [1, 2]).audio.tobytes()).hexdigest()
    for attack in first.values()
}))
"""


def attacked(n_threads: int) -> dict[str, str]:
    """Return the hash of what the weakest strength of every attack makes, in a process with so many threads."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": str(n_threads)}
    done = subprocess.run(
        [sys.executable, "-c", ATTACKED], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    hashes: dict[str, str] = json.loads(done.stdout)
    return hashes


def test_no_attack_depends_on_the_threads_of_matrix_products() -> None:
    one, two = attacked(1), attacked(2)
    assert len(one) > 100
    assert {name for name in one if one[name] != two[name]} == set()
