"""Weights by name: what there is, what is here, and how to fetch the rest.

    registry()            every name with its repo, revision, files and their SHA-256
    find_weights(name)    a path as given, a name downloaded before, the packaged weights; never the network
    download(name)        hub -> staged beside -> verified -> renamed to `cache_dir()/NAME`
    import_folder(name)   where weights of one's own get a name that `find_weights` knows
    publish(files, card, repo)   to the hub, in one commit

A file whose hash the registry does not know (null) is accepted with a warning and counts as unverified.
A known hash is always checked, whatever `repo` or `revision` the caller names: a name stands for one content.
Other weights are used by their path.
"""

from zedo_core.weights.card import CARD_FILE, model_card, read_card, read_training
from zedo_core.weights.client import OnProgress
from zedo_core.weights.entries import KINDS, Entry, WeightsFile, registry
from zedo_core.weights.local import (
    Installed,
    cache_dir,
    find_weights,
    import_folder,
    imported,
    installed,
    intact,
    packaged,
)
from zedo_core.weights.publish import Published, publish
from zedo_core.weights.staging import staged
from zedo_core.weights.transfer import download

__all__ = [
    "CARD_FILE",
    "KINDS",
    "Entry",
    "Installed",
    "OnProgress",
    "Published",
    "WeightsFile",
    "cache_dir",
    "download",
    "find_weights",
    "import_folder",
    "imported",
    "installed",
    "intact",
    "model_card",
    "packaged",
    "publish",
    "read_card",
    "read_training",
    "registry",
    "staged",
]
