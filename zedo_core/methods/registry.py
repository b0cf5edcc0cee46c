"""The methods by name: every package here that has a `METHOD` (see `method.Method`)."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

import zedo_core.methods as package
from zedo_core.errors import InputError
from zedo_core.methods.method import Method


@cache
def methods() -> dict[str, Method]:
    """All methods by name."""
    packages = [info.name for info in pkgutil.iter_modules(package.__path__) if info.ispkg]
    found = [import_module(f"{package.__name__}.{name}").METHOD for name in packages]
    return {method.name: method for method in found}


def get_method(name: str) -> Method:
    """The method called `name`; InputError when there is none."""
    if name not in methods():
        raise InputError(f"no method '{name}'; expected one of {', '.join(methods())}")
    return methods()[name]
