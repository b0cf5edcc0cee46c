"""Weights by name: the registry, installed weights, downloads; `network` reads and writes any network.

A name stands for fixed contents: where the registry has a file's SHA-256, it is always checked, whatever repo or
revision the caller names. A file with an unknown hash (null) is accepted with a warning and counts as unverified.
"""

from zedo_core.weights.card import CARD_FILE, read_card, read_training
from zedo_core.weights.hub import download, publish
from zedo_core.weights.local import (
    Entry,
    cache_dir,
    find_weights,
    import_folder,
    imported,
    installed,
    intact,
    packaged,
    registry,
    staged,
)

__all__ = [
    "CARD_FILE",
    "Entry",
    "cache_dir",
    "download",
    "find_weights",
    "import_folder",
    "imported",
    "installed",
    "intact",
    "packaged",
    "publish",
    "read_card",
    "read_training",
    "registry",
    "staged",
]
