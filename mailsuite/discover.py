"""Loads the parts of a folder: one module a part, each with a ``PART``, in name order."""

import importlib
import pkgutil
from types import ModuleType
from typing import Any


def parts(package: ModuleType) -> tuple[Any, ...]:
    """Return ``PART`` of every module in *package*, in the order of the modules' names."""
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    return tuple(importlib.import_module(f"{package.__name__}.{name}").PART for name in names)
