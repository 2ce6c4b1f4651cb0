"""Versions of what a number depends on."""

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = (
    "sealproof", "audioseal", "av", "keras", "librosa", "numpy", "pandas", "python-stretch", "resemble-perth",
    "safetensors", "scipy", "soundfile", "soxr", "tensorflow", "torch", "torchaudio",
)  # fmt: skip
"""Distributions that appear in the facts of datasets and runs."""


def package_versions() -> dict[str, str]:
    """Return the version of Python and of each installed package of `PACKAGES`; `missing` where there is none."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "missing"
    return versions
