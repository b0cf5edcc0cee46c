"""What `zedo publish` sends of a folder with a prior and initial poses."""

from __future__ import annotations

from pathlib import Path

from zedo_core.methods.method import Publication
from zedo_core.methods.zedo.card import model_card
from zedo_core.methods.zedo.initial_poses import INITIAL_POSES_FILE, load_initial_poses
from zedo_core.methods.zedo.prior import CONFIG_FILE, PRIOR_FILE, load_prior
from zedo_core.weights import read_training


def publication(folder: Path, licence: str, terms: str | None) -> Publication:
    """The files, which are checked, and a card made from the record; WeightsError when they are not valid."""
    prior, sets = load_prior(folder), load_initial_poses(folder)
    card = model_card(
        name=prior.name,
        joints=prior.skeleton.name,
        weights=sum(value.numel() for value in prior.net.parameters()),
        initial_poses=tuple(sets),
        training=read_training(folder),
        licence=licence,
        terms=terms,
    )
    return Publication(files=tuple(folder / name for name in (PRIOR_FILE, CONFIG_FILE, INITIAL_POSES_FILE)), card=card)
