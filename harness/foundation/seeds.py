"""Seeds derived from names, so that no result depends on order, batch size or number of workers."""

import hashlib


def derive_seed(*parts: object) -> int:
    """Derive a 64-bit seed from the parts' text.

    Args:
        *parts: Anything whose `str` names it: the run's seed, a clip id, an attack id.

    Returns:
        An integer in [0, 2**64), the same on every machine and in every process.
    """
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
