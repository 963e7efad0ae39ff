"""Components of the project, found without being named."""

import importlib
import inspect
import pkgutil
from types import ModuleType


def finished(found: type) -> bool:
    """Whether a class can run: every declared class attribute has a value, nothing is abstract."""
    declared = {name for base in found.__mro__ for name in getattr(base, "__annotations__", {})
                if "ClassVar" in str(base.__annotations__[name])}  # fmt: skip
    abstract = any(
        getattr(value, "__isabstractmethod__", False) for _, value in inspect.getmembers(found)
    )
    return not abstract and all(hasattr(found, name) for name in declared)


def discovered(package: ModuleType, base: type) -> list[type]:
    """Finished classes of `base` in the package's modules."""
    modules = [
        importlib.import_module(f"{package.__name__}.{module.name}")
        for module in pkgutil.iter_modules(package.__path__)
    ]
    return [
        found
        for module in modules
        for _, found in inspect.getmembers(module, inspect.isclass)
        if issubclass(found, base) and found.__module__ == module.__name__ and finished(found)
    ]
