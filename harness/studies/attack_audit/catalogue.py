"""The catalogue of attacks as people read it: in the terminal, and as the page docs/attacks.md."""

from collections.abc import Iterator

from sealproof.attacks import Attack, AttackError, attack_class, list_attacks

_HEAD = """# The attacks

`sealproof attacks list --markdown` writes this page from the registry. An id names an attack and its strength; ids
joined by `+` are a chain. Each can be used in a TOML file (`--attacks FILE`) by its name and parameters.

- *random*: the seed of a run decides what it draws, for each clip anew.
- *moves time*: sample i does not belong to sample i afterwards, so an SNR means nothing.
- *knows*: needs more than the clip: other recordings, marked and not, the unmarked original, or a watermarker.
- *control*: may return its input as it was.
- *optional*: needs a package and weights that sealproof does not bring; without them the preset leaves it out.
"""


def families() -> dict[str, list[type[Attack]]]:
    """Return the attacks that can be loaded by family, both in alphabetical order; `identity` comes first."""
    classes = [cls for name in list_attacks() if not isinstance(cls := _loaded(name), str)]
    names = sorted({cls.family for cls in classes}, key=lambda name: (name != "identity", name))
    return {name: [cls for cls in classes if cls.family == name] for name in names}


def _loaded(name: str) -> type[Attack] | str:
    """Return an attack, or why it cannot be loaded: one broken plug-in does not hide the others."""
    try:
        return attack_class(name)
    except AttackError as error:
        return str(error)


def lines() -> Iterator[str]:
    """Yield the catalogue for the terminal."""
    n_types = n_configurations = 0
    for family, classes in families().items():
        yield f"\n{family}"
        for cls in classes:
            standard, reason = cls.standard(), cls.unavailable()
            yield f"  {cls.name:20} {sentence(cls)}"
            yield f"  {'':20} {'  '.join(attack.id for attack in standard)}"
            if reason is not None:
                yield f"  {'':20} not here: {reason}"
                continue
            n_types += 1
            n_configurations += len(standard)
    broken = {name: loaded for name in list_attacks() if isinstance(loaded := _loaded(name), str)}
    if broken:
        yield "\ncannot be loaded"
        yield from (f"  {name:20} {reason}" for name, reason in broken.items())
    yield f"\n{n_types} attacks, {n_configurations} configurations."


def catalogue_markdown() -> str:
    """Return the page docs/attacks.md."""
    parts = [_HEAD]
    brought = [cls for classes in families().values() for cls in classes if not cls.is_optional]
    total = sum(len(cls.standard()) for cls in brought)
    parts.append(f"{len(brought)} attacks with {total} configurations in the preset `full`, and optional ones.\n")
    for family, classes in families().items():
        parts.append(f"## {family[0].upper()}{family[1:]}\n")
        parts.append("| attack | what it does | | strengths of the preset `full` |\n|---|---|---|---|")
        for cls in classes:
            ids = " ".join(f"`{attack.id}`" for attack in cls.standard())
            parts.append(f"| `{cls.name}` | {sentence(cls)} | {', '.join(_marks(cls))} | {ids} |")
        parts.append("")
    return "\n".join(parts)


def sentence(cls: type[Attack]) -> str:
    """Return the first line of an attack's docstring."""
    return (cls.__doc__ or "").strip().splitlines()[0]


def _marks(cls: type[Attack]) -> Iterator[str]:
    marks = {
        "random": cls.is_random,
        "moves time": not cls.keeps_alignment,
        "knows": cls.needs_knowledge,
        "control": cls.is_control,
        "optional": cls.is_optional,
    }
    return (name for name, holds in marks.items() if holds)
