"""Which packages the wheel holds: the library, and data/, which stands beside it here and inside it in a wheel."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["choreo_lib", "choreo_lib.*"]), "choreo_lib.data"],
    package_dir={"choreo_lib.data": "data"},
)
