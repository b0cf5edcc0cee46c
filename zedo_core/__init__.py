"""zedo: 3D human poses from pictures, videos and 2D keypoints, by diffusion-based optimisation.

The public names are imported when they are first asked for: `import zedo_core` loads neither torch nor numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from zedo_core.version import __version__

if TYPE_CHECKING:
    from zedo_core.batch.dataset import infer_batch
    from zedo_core.biomechanics import Angles, angles
    from zedo_core.camera import Camera, read_camera
    from zedo_core.errors import ZedoError
    from zedo_core.export import load, save
    from zedo_core.keypoints import read_keypoints, write_keypoints
    from zedo_core.lifting import lift, load_lifter
    from zedo_core.methods.zedo import ZedoOptions
    from zedo_core.methods.zedo.prior import load_prior
    from zedo_core.motions.motion import motion
    from zedo_core.motions.select import select
    from zedo_core.motions.smooth import smooth
    from zedo_core.pipeline.library import detect, infer
    from zedo_core.pipeline.run import demo_assets
    from zedo_core.skeleton import Skeleton, get_skeleton
    from zedo_core.source import open_source
    from zedo_core.types import Frame, Keypoints, Poses, Provenance

__all__ = [
    "Angles",
    "Camera",
    "Frame",
    "Keypoints",
    "Poses",
    "Provenance",
    "Skeleton",
    "ZedoError",
    "ZedoOptions",
    "__version__",
    "angles",
    "demo_assets",
    "detect",
    "get_skeleton",
    "infer",
    "infer_batch",
    "lift",
    "load",
    "load_lifter",
    "load_prior",
    "motion",
    "open_source",
    "read_camera",
    "read_keypoints",
    "save",
    "select",
    "smooth",
    "write_keypoints",
]

_MODULES = {
    "batch.dataset": ("infer_batch",),
    "biomechanics": ("Angles", "angles"),
    "camera": ("Camera", "read_camera"),
    "errors": ("ZedoError",),
    "export": ("load", "save"),
    "keypoints": ("read_keypoints", "write_keypoints"),
    "lifting": ("lift", "load_lifter"),
    "methods.zedo": ("ZedoOptions",),
    "methods.zedo.prior": ("load_prior",),
    "motions.motion": ("motion",),
    "motions.select": ("select",),
    "motions.smooth": ("smooth",),
    "pipeline.library": ("detect", "infer"),
    "pipeline.run": ("demo_assets",),
    "skeleton": ("Skeleton", "get_skeleton"),
    "source": ("open_source",),
    "types": ("Frame", "Keypoints", "Poses", "Provenance"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'zedo_core' has no attribute '{name}'")
    return getattr(import_module(f"zedo_core.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
