"""Motions, the poses of a track over time: selecting hypotheses, one body, trajectory, gaps, and turning upright."""

DEFAULT_CHOICE = "track"  # among the hypotheses
DEFAULT_SMOOTHING = "light"
DEFAULT_MOTION = "full"
FILL_S = 0.5  # longest gap that is filled; mean error on motion capture: 31 mm for such gaps, 11 mm for 0.25 s
