"""Weights by name: what there is, what is here, and how to fetch the rest.

    registry()            every name with its repo, revision, files and their SHA-256
    find_weights(name)    a path as given, a name downloaded before, the packaged weights; never the network
    download(name)        hub -> staged beside -> verified -> renamed to `cache_dir()/NAME`

A file whose hash the registry does not know (null) is accepted with a warning and counts as unverified.
A known hash is always checked, whatever `repo` or `revision` the caller names: a name stands for one content.
Other weights are used by their path.
"""

from zedo_core.hub.client import OnProgress
from zedo_core.hub.entries import KINDS, Entry, WeightsFile, registry
from zedo_core.hub.local import Installed, cache_dir, find_weights, installed, packaged
from zedo_core.hub.transfer import download

__all__ = [
    "KINDS",
    "Entry",
    "Installed",
    "OnProgress",
    "WeightsFile",
    "cache_dir",
    "download",
    "find_weights",
    "installed",
    "packaged",
    "registry",
]
