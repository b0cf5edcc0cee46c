"""The networks of the method as one module: a lifter, and residual regressors that improve its mean pose in turn."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zedo_core.methods.erd.features import View
from zedo_core.nets.lifter import Lifter2D, Modes
from zedo_core.nets.residual import ResidualRegressor

# What a regressor sees: the difference of the keypoints from the projected pose, the latter, the keypoints, or two.
FEATURES = ("delta", "proj", "cat", "catproj", "ori")


class Descent(nn.Module):
    """P_0 = lifter(x), P_{k+1} = P_k + R_k(phi(x, project(P_k))), with phi one of `FEATURES` (ERD section 3).

    The joints' confidences are part of phi too; missing joints are 0 in it.
    """

    def __init__(self, lifter: Lifter2D, features: str = "delta", count: int = 0, width: int = 256) -> None:
        super().__init__()
        if features not in FEATURES:
            raise ValueError(f"expected features among {', '.join(FEATURES)}, got {features!r}")
        if not (isinstance(count, int) and 0 <= count <= 100 and isinstance(width, int) and 1 <= width <= 2**13):
            raise ValueError(f"expected 0 to 100 regressors and a width from 1 to {2**13}, got {count} and {width}")
        self.lifter, self.features, self.width = lifter, features, width
        self.regressors = nn.ModuleList(self.new_regressor() for _ in range(count))

    def new_regressor(self) -> ResidualRegressor:
        """A regressor with random weights that corrects nothing yet."""
        joints = self.lifter.config.joints
        inputs = joints * (1 + 2 * (2 if "cat" in self.features else 1))
        return ResidualRegressor(inputs, 3 * joints, self.width)

    def forward(
        self, view: View, root: Float[Tensor, "b 1 3"] | None = None
    ) -> tuple[Modes, list[Float[Tensor, "b j 3"]]]:
        """The lifter's modes, and the mean pose P_0 to P_K, in metres in turned axes.

        Where the root is not known, it is found anew for each pose.
        """
        modes = self.lifter(view.local, view.whole)
        poses = [modes.mean]
        for regressor in self.regressors:
            poses.append(poses[-1] + regressor(self.inputs(view, poses[-1], root)).view_as(poses[-1]))
        return modes, poses

    def inputs(
        self, view: View, pose: Float[Tensor, "b j 3"], root: Float[Tensor, "b 1 3"] | None = None
    ) -> Float[Tensor, "b inputs"]:
        """phi of each row, flattened."""
        places, confidence = view.local[..., :2], view.local[..., 2:]
        projected = view.project(pose, root) * (confidence > 0) if self.features != "ori" else places
        parts = {
            "delta": (places - projected,),
            "proj": (projected,),
            "cat": (places, places - projected),
            "catproj": (places, projected),
            "ori": (places,),
        }[self.features]
        return torch.cat([*parts, confidence], dim=-1).flatten(1)
