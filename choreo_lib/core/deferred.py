"""Libraries that take seconds to load, loaded when something of them is first used. Taught in chapter 1.

``from ..core.deferred import roma`` in place of ``import roma``.
"""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any


class Deferred(ModuleType):
    """A stand-in for a module, which is imported when an attribute of it is first asked for.

    Not `importlib.util.LazyLoader`'s, which whoever looks through all modules, as notebooks do, would load half.
    Errors: ImportError, at once, where there is no such module. Chapter: 1.
    """

    def __init__(self, name: str):
        if find_spec(name) is None:
            raise ImportError(f"choreo_lib needs {name}: pip install {name}", name=name)
        super().__init__(name)

    def __getattr__(self, name: str) -> Any:
        value = getattr(import_module(self.__name__), name)
        setattr(self, name, value)  # so that it is looked for once
        return value


if TYPE_CHECKING:
    import roma
else:
    roma = Deferred("roma")  # it loads torch's compiler (torch._dynamo), which takes as long as torch itself
