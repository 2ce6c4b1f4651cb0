"""Which folders are the package: the top-level ones, installed below the one name `sealproof`."""

from setuptools import find_packages, setup

TOP = ("attacks", "detectors", "harness")
setup(
    packages=["sealproof", *(f"sealproof.{name}" for name in find_packages(include=[f"{top}*" for top in TOP]))],
    package_dir={f"sealproof.{top}": top for top in TOP},
)
