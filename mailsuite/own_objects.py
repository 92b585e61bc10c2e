"""Python objects of a site's own, which its configuration names as ``module:name``."""

import importlib
from types import ModuleType
from typing import Any


class CannotMake(Exception):
    """The object cannot be had; the text says why, to be read behind what it is."""


def load(name: str) -> ModuleType:
    """Return the module of the object *name*. Raises `CannotMake`."""
    try:
        return importlib.import_module(name.partition(":")[0])
    except Exception as error:
        raise CannotMake(f"cannot be loaded: {_said(error)}") from error


def make(name: str, options: str, reactor: Any) -> Any:
    """Return what the object *name* makes of *options* and *reactor*, which it is called with. Raises `CannotMake`."""
    module = load(name)
    try:
        return getattr(module, name.partition(":")[2])(options, reactor)
    except Exception as error:
        raise CannotMake(f"cannot be made: {_said(error)}") from error


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
