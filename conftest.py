"""What every test and every chapter under test shares: where the real sets are, and what is skipped without them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from choreo_lib.sets import registry

# Chapters run in notebooks/ and tests at the root: both must mean the same folder.
if os.environ.get("CHOREO_DATA"):
    os.environ["CHOREO_DATA"] = str(Path(os.environ["CHOREO_DATA"]).expanduser().absolute())
os.environ.setdefault("CHOREO_MODE", "quick")

# The same examples each time, and no verdict that depends on how busy the machine is.
settings.register_profile("choreo", deadline=None, derandomize=True, print_blob=False)
settings.load_profile("choreo")


def absent(*names: str) -> str:
    """Why what needs these sets is skipped, or "" where it can run."""
    for name in names:
        try:
            files = registry.missing(name)
        except registry.DatasetError:
            continue  # here, but damaged: let it run and fail with that message
        if files:
            return f"CHOREO_DATA is not set to a folder that holds {files[0]}"
    return ""


def core_sets() -> list[str]:
    """The sets that chapters work on: those whose SHA-256 the registry knows."""
    known = registry.entries().items()
    return [name for name, entry in known
            if all("sha256" in file for take in entry["takes"].values() for file in take["files"])]


@pytest.fixture(scope="session")
def real_data():
    """A function that gives the files of a real set or take, or skips the test with the reason."""

    def files(name: str) -> list[Path]:
        if reason := absent(name):
            pytest.skip(reason)
        return registry.fetch(name)

    return files


LONGEST = ("test_book_browser", "04_", "05_", "08_", "06_", "11_", "07_", "09_", "test_weights", "03_",
           "test_precision", "02_", "test_two_processes", "test_judges.", "10_", "test_training", "test_lab_browser",
           "test_formats_fuzz")


def pytest_collection_modifyitems(items):
    """Begin with the longest files, or one worker does the last of them while the other waits (--dist loadfile).

    Skip the cells tagged real-data where the real sets are not, before a kernel sees them.
    """
    rank = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: min((place for name, place in rank.items() if item.path.name.startswith(name)),
                                    default=len(rank)))
    reason = absent(*core_sets())
    for item in items:
        tags = getattr(getattr(item, "cell", None), "metadata", {}).get("tags", ())
        if reason and "real-data" in tags:
            item.add_marker(pytest.mark.skip(reason=reason))
        if item.get_closest_marker("network") and os.environ.get("CHOREO_NETWORK") != "1":
            item.add_marker(pytest.mark.skip(reason="needs the package index; run with CHOREO_NETWORK=1"))
