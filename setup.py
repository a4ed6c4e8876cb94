"""Which packages the wheel holds: the library, and data/, which stands beside it here and inside it in a wheel."""

from pathlib import Path

from setuptools import find_packages, setup

data = sorted(path.name for path in Path(__file__).parent.glob("data/*") if path.is_dir())

setup(
    packages=[
        *find_packages(include=["choreo_lib", "choreo_lib.*"]),
        "choreo_lib.data",
        *(f"choreo_lib.data.{name}" for name in data),
    ],
    package_dir={"choreo_lib.data": "data"},
)
