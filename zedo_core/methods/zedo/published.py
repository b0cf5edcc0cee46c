"""Numbers of the ZeDO paper (arXiv 2307.03833, Tables 1 to 6), in millimetres and percent, for comparison."""

from __future__ import annotations

# (data set, 2D, joints, hypotheses) -> best of the hypotheses, with the prior of that data set.
RESULTS: dict[tuple[str, str, int, int], dict[str, float]] = {
    ("h36m", "detected", 17, 1): {"mpjpe": 65.7, "pa_mpjpe": 49.0},
    ("h36m", "detected", 17, 10): {"mpjpe": 57.3, "pa_mpjpe": 45.1},
    ("h36m", "detected", 17, 50): {"mpjpe": 51.4, "pa_mpjpe": 42.1},
    ("h36m", "gt", 17, 1): {"mpjpe": 50.1, "pa_mpjpe": 35.8},
    ("h36m", "gt", 17, 50): {"mpjpe": 37.0, "pa_mpjpe": 27.5},
    ("3dhp", "gt", 17, 1): {"mpjpe": 86.5, "pa_mpjpe": 55.9},
    ("3dhp", "gt", 17, 50): {"mpjpe": 55.2, "pa_mpjpe": 38.6},
    ("3dpw", "gt", 17, 1): {"mpjpe": 69.7, "pa_mpjpe": 40.3},
    ("3dpw", "gt", 14, 1): {"mpjpe": 76.6, "pa_mpjpe": 43.1},
    ("3dpw", "gt", 17, 50): {"mpjpe": 54.7, "pa_mpjpe": 30.6},
}

# Ablations, on Human3.6M with S = 1. Rotation optimisation (RO), warm-up (WU), rotation augmentation (RA): Table 4.
PARTS: dict[tuple[bool, bool, bool], dict[str, float]] = {
    (False, False, False): {"mpjpe": 75.0, "pa_mpjpe": 52.7},
    (True, False, False): {"mpjpe": 77.2, "pa_mpjpe": 53.7},
    (True, True, False): {"mpjpe": 65.7, "pa_mpjpe": 49.0},
    (True, True, True): {"mpjpe": 69.5, "pa_mpjpe": 51.4},
}
# Initial poses, 2D ground truth: Table 6.
INITIAL_POSES: dict[str, dict[str, float]] = {
    "clusters": {"mpjpe": 50.1},
    "random": {"mpjpe": 78.2},
    "generated": {"mpjpe": 70.4},
}
