"""The axes of tables and markers: the camera's, or those of a world that stands upright."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from zedo_core.errors import InputError
from zedo_core.motions.upright import upright
from zedo_core.types import Poses

AXES = ("camera", "world-yup", "world-zup")

_OPTION = "export_axes"  # name among the options of a result's provenance
# World axes with z up are those with y up turned about x: of a calibration that has z up they are its own.
_Z_UP = np.array(((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)))


def parse_axes(text: str) -> str:
    """One of `AXES`; InputError for anything else."""
    if text not in AXES:
        raise InputError(f"axes: expected one of {', '.join(AXES)}, found '{text}'")
    return text


def with_axes(poses: Poses, axes: str) -> Poses:
    """The poses with these axes recorded, in which tables and markers are then written."""
    options = poses.provenance.options | {_OPTION: parse_axes(axes)}
    return replace(poses, provenance=replace(poses.provenance, options=options))


def axes_of(poses: Poses, default: str) -> str:
    """The recorded axes, or else those that a format has by default."""
    return parse_axes(str(poses.provenance.options.get(_OPTION, default)))


def points_in(poses: Poses, axes: str) -> tuple[Float[ndarray, "n j 3"], Float[ndarray, "n f 3"] | None, str]:
    """Joints and feet of the chosen poses in metres in these axes, and where the upward direction came from.

    In world axes the floor is at 0.
    """
    best, feet = poses.best.astype(float), poses.feet
    if axes == "camera":
        return best, feet, "the camera's"
    up = upright(poses)
    points, feet = up.points, None if feet is None else up.transform(feet.astype(float), poses.frame)
    if axes == "world-zup":
        points, feet = points @ _Z_UP.T, None if feet is None else feet @ _Z_UP.T
    return points, feet, up.source
