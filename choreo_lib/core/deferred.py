"""Libraries that take seconds to load, loaded when something of them is first used.

``from ..core.deferred import roma`` in place of ``import roma``. Taught in chapter 1, "Seeing a duet".
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import TYPE_CHECKING


def deferred(name: str) -> ModuleType:
    """A module that is loaded when an attribute of it is first asked for. Errors: ImportError where there is none.

    Chapter: 1. Source: "Implementing lazy imports" in the documentation of Python's importlib.
    """
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        raise ImportError(f"choreo_lib needs {name}: pip install {name}", name=name)
    spec.loader = loader = importlib.util.LazyLoader(spec.loader)
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


if TYPE_CHECKING:
    import roma
else:
    roma = deferred("roma")  # it loads torch's compiler (torch._dynamo), which takes as long as torch itself
