"""Attacks that mark clean clips: what they do to these is no damage, and flagging them is right."""


def marks_clean_clips(attack: str, params: str, scheme: str) -> bool:
    """Return whether an attack puts the scheme's own mark on clean clips, so that all should be flagged.

    What is counted as a false alarm there is none, and accuracy by the clips' labels says nothing.

    Args:
        attack: Its name.
        params: Its parameters as in tables.
        scheme: The scheme whose detector is judged.
    """
    return attack == "reembed" and params in ("scheme=same", f"scheme={scheme}")
