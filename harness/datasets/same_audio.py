"""The same audio under two names: its groups are one recording, and stay on one side of every split."""

from collections.abc import Iterable, Mapping

from sealproof.harness.datasets.manifest import Row


def joined_groups(clean: Iterable[Row], source_sha256: Mapping[str, str]) -> dict[str, str]:
    """Find the groups that share audio: a source of the same bytes, or a clean clip of the same samples.

    Args:
        clean: The rows of the clean clips.
        source_sha256: Hash of each source file, by its name in the rows; those that are not there are not compared.

    Returns:
        For every group the name that it goes by: of groups that share audio the first in the alphabet.
    """
    name_of: dict[str, str] = {}
    first_with: dict[str, str] = {}

    def leading(group: str) -> str:
        while name_of.setdefault(group, group) != group:
            group = name_of[group]
        return group

    for row in clean:
        for sha256 in filter(None, (row.sha256, source_sha256.get(row.source))):
            here, there = leading(row.group), leading(first_with.setdefault(sha256, row.group))
            name_of[max(here, there)] = min(here, there)
    return {group: leading(group) for group in name_of}


def joined_sets(name_of: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the other names of each group that was joined, sorted."""
    joined: dict[str, list[str]] = {}
    for group in sorted(name_of):
        if name_of[group] != group:
            joined.setdefault(name_of[group], []).append(group)
    return joined


def joined_text(joined: Mapping[str, list[str]]) -> str:
    """Say which groups share audio, in a sentence; at most three of them by name."""
    n_groups = sum(1 + len(others) for others in joined.values())
    named = "; ".join(" = ".join([name, *others]) for name, others in list(joined.items())[:3])
    return f"{n_groups} groups share audio and count as {len(joined)}: {named}{'; ...' if len(joined) > 3 else ''}."
