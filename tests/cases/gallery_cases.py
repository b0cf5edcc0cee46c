"""Cases for tests of the gallery, and a strict parser of pages."""

from __future__ import annotations

import html.parser
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from zedo_core.evaluate.gallery import GROUPS, Case, write_gallery
from zedo_core.skeleton import H36M17, Skeleton

NASTY = '</script><img onerror="window.broken=1" src=x><!-- {{data}} & "quoted" \u2028'
MIDDLE = {"head_top": 1.7, "neck_nose": 1.55, "thorax": 1.4, "spine": 1.15, "pelvis": 0.95}
LEFT_LEG = {"hip": (0.13, 0.95, 0), "knee": (0.16, 0.5, -0.1), "ankle": (0.17, 0.08, 0.05)}
LEFT_ARM = {"shoulder": (0.18, 1.4, 0), "elbow": (0.4, 1.25, 0.1), "wrist": (0.6, 1.1, -0.15)}
POINTS, PIXELS = ("truth", "chosen"), ("xy", "reprojected")
JOINTS = len(H36M17)
NOTHING = np.full((JOINTS, 3), np.nan)


def standing(away_m: float = 4.0) -> np.ndarray:
    """A person in front of a camera at chest height, metres, camera axes, (joint, 3)."""
    positions = {name: (0.0, height, 0.0) for name, height in MIDDLE.items()}
    for name, (x, height, z) in (LEFT_LEG | LEFT_ARM).items():
        positions |= {f"left_{name}": (x, height, z), f"right_{name}": (-x, height, z)}
    return np.array([positions[name] for name in H36M17.joints]) * (1, -1, 1) + (0.3, 1.2, away_m)


def project(points: np.ndarray) -> np.ndarray:
    """Projection by an independent implementation."""
    return 1100.0 * points[..., :2] / points[..., 2:] + (640.0, 360.0)


def case(seed: int = 0, hypotheses: int = 4, **changes: Any) -> Case:
    """A case with a ground truth, a chosen pose near it and others; the keypoints match the ground truth."""
    rng = np.random.default_rng(seed)
    truth = standing()
    poses = truth + rng.normal(0, 0.05, (hypotheses, *truth.shape)) + (0, 0, 0.4)
    values: dict[str, Any] = {"title": f"case {seed}", "group": GROUPS[seed % 3], "figures": {"MPJPE": "123.4 mm"}}
    values |= {"xy": project(truth), "confidence": rng.uniform(0.3, 1, JOINTS), "reprojected": project(poses[0])}
    return Case(**values | {"truth": truth, "chosen": poses[0], "others": poses[1:]} | changes)


class Page(html.parser.HTMLParser):
    """A parsed page: elements with their attributes, and the text in each."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self._open = ""
        self.feed(text)
        self.names = [tag for tag, _ in self.tags]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = dict(attrs).get("id") or tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        self.texts[self._open] = self.texts.get(self._open, "") + data

    @property
    def data(self) -> Any:
        assert not re.search(r"\b(NaN|Infinity)\b", self.texts["data"])
        return json.loads(self.texts["data"])


def write_and_read(folder: Path, cases: list[Case], skeleton: Skeleton = H36M17, title: str = "A gallery") -> str:
    write_gallery(cases, skeleton, folder / "gallery.html", title=title)
    return (folder / "gallery.html").read_text(encoding="utf-8")
