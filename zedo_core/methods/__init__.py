"""Lifting methods, from rows of keypoints to 3D hypotheses: one folder per method, with everything specific to it.

Every package here that has a `METHOD` is a method; a new method is a new folder. Names are imported on first use, so
that reading the default method's name is fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zedo_core.methods.method import Method, Trial, Variant
    from zedo_core.methods.protocol import BonesLifter, Lifter, OnRows, SteppingLifter, Steps
    from zedo_core.methods.registry import get_method, methods

__all__ = [
    "DEFAULT_METHOD",
    "BonesLifter",
    "Lifter",
    "Method",
    "OnRows",
    "SteppingLifter",
    "Steps",
    "Trial",
    "Variant",
    "get_method",
    "methods",
]

DEFAULT_METHOD = "zedo"
_MODULES = {
    "method": ("Method", "Trial", "Variant"),
    "protocol": ("BonesLifter", "Lifter", "OnRows", "SteppingLifter", "Steps"),
    "registry": ("get_method", "methods"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
