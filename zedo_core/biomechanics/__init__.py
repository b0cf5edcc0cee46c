"""What biomechanics asks of poses: joint angles with their expected errors."""

from zedo_core.biomechanics.angles import Angles, angles, left_out

__all__ = ["Angles", "angles", "left_out"]
