"""What can be evaluated: watermark schemes, their detectors, and the mimics that imitate them.

`base`, `files`, `checkpoint` and `testing` are the machinery; each other module or folder is a scheme, or the mimics,
and knows no other. Nothing here may know attacks or the harness. Importing this package loads no framework: a scheme's
module is imported when the scheme is asked for, its model when the model is used.
"""

from importlib import import_module

from sealproof.detectors.base import (
    Audio,
    Bits,
    Detection,
    Detector,
    DetectorError,
    Scheme,
    UnavailableError,
    Watermarker,
    broken_text,
)

__all__ = [
    "Audio",
    "Bits",
    "Detection",
    "Detector",
    "DetectorError",
    "Scheme",
    "UnavailableError",
    "Watermarker",
    "get_scheme",
    "list_schemes",
]

ENTRY_POINT_GROUP = "sealproof.schemes"

_BUILT_IN = {
    "audioseal": "sealproof.detectors.audioseal.published:AudioSealScheme",
    "audioseal_custom": "sealproof.detectors.audioseal.custom:AudioSealCustomScheme",
    "audioseal_mini": "sealproof.detectors.audioseal.mini:AudioSealMiniScheme",
    "perth": "sealproof.detectors.perth:PerthScheme",
    "spread_spectrum": "sealproof.detectors.spread_spectrum.scheme:SpreadSpectrumScheme",
}


def list_schemes() -> list[str]:
    """Names of all schemes, built in and from outside (entry point group `sealproof.schemes`), sorted.

    Raises:
        DetectorError: Two schemes claim one name.
    """
    return sorted(_registry())


def get_scheme(name: str, **options: object) -> Scheme:
    """Return the scheme of that name; nothing heavy is loaded yet.

    Args:
        name: One of `list_schemes()`.
        **options: Passed to the scheme's constructor, which documents them.

    Raises:
        DetectorError: No scheme has the name, the scheme does not take the options, or what is registered under the
            name is no scheme.
        UnavailableError: Its module cannot be imported.
    """
    registry = _registry()
    if name not in registry:
        from difflib import get_close_matches

        close = get_close_matches(name, registry, n=1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        raise DetectorError(f"The scheme must be one of {', '.join(sorted(registry))}. Got '{name}'.{hint}")
    module_name, _, attribute = registry[name].partition(":")
    try:
        scheme_type = getattr(import_module(module_name), attribute)
    except Exception as error:  # a broken package raises what it likes while it is imported
        raise UnavailableError(broken_text(f"The scheme '{name}' ({registry[name]})", error)) from error
    if not (isinstance(scheme_type, type) and issubclass(scheme_type, Scheme)):
        raise DetectorError(f"The scheme '{name}' must be a subclass of Scheme. Got {registry[name]}.")
    _check_options(name, scheme_type, options)
    return scheme_type(**options)


def _check_options(name: str, scheme_type: type[Scheme], options: dict[str, object]) -> None:
    # Binding first keeps a TypeError raised inside a constructor what it is: a bug, not a wrong option.
    from inspect import signature

    try:
        signature(scheme_type).bind(**options)
    except TypeError as error:
        raise DetectorError(f"The options of scheme '{name}' are {signature(scheme_type)}: {error}.") from error


def _registry() -> dict[str, str]:
    # importlib.metadata costs more to import than all of this package, and plain `import` must stay cheap.
    from importlib.metadata import entry_points

    registry = dict(_BUILT_IN)
    for point in entry_points(group=ENTRY_POINT_GROUP):
        if registry.setdefault(point.name, point.value) != point.value:
            raise DetectorError(
                f"The scheme name '{point.name}' must be claimed once. Got {registry[point.name]} and {point.value}."
            )
    return registry
