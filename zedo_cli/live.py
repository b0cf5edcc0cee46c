"""`zedo live`: people before a camera in 3D, as they move."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zedo_cli._options import (
    Camera,
    Cx,
    Cy,
    Detector,
    Device,
    Fov,
    Fx,
    Fy,
    Iterations,
    Json,
    MaxPeople,
    Preset,
    Quiet,
    Seed,
    Tracker,
    Weights,
    camera_of,
    folder_of,
)
from zedo_cli._output import console, print_json, say
from zedo_core.errors import InputError

if TYPE_CHECKING:
    from zedo_core.pipeline.live import LiveFrame

_WINDOW = "zedo live (q ends)"
_ENDS = {ord("q"), ord("Q"), 27}  # keys, Escape the last


def live(
    source: Annotated[
        str, typer.Argument(metavar="[SOURCE]", help="Number of a camera, or a video file played as one.")
    ] = "0",
    show: Annotated[bool, typer.Option("--show", help="Show a window; q ends.")] = False,
    record: Annotated[
        Path | None,
        typer.Option(
            "--record", help="Folder for the recording, its poses and keypoints.", metavar="DIR", parser=folder_of
        ),
    ] = None,
    seconds: Annotated[float | None, typer.Option("--seconds", help="End after so long; else by q or Ctrl-C.")] = None,
    hypo: Annotated[int, typer.Option("--hypo", min=1, max=200, help="Hypotheses per person and frame.")] = 1,
    max_people: MaxPeople = None,
    detector: Detector = "yolov8n-pose",
    tracker: Tracker = "bytetrack",
    camera: Camera = None,
    fx: Fx = None,
    fy: Fy = None,
    cx: Cx = None,
    cy: Cy = None,
    fov: Fov = None,
    weights: Weights = "prior",
    preset: Preset = "default",
    iterations: Iterations = None,
    device: Device = "auto",
    seed: Seed = 0,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Lift the people before a camera as they move: the latest frame wins, those in between are dropped."""
    if show:
        _need_display()
    from zedo_core.methods.zedo import preset as options_of
    from zedo_core.pipeline.live import LiveOptions, run_live
    from zedo_core.pipeline.request import InferRequest, Models
    from zedo_core.source import open_live

    found = open_live(source)
    options = LiveOptions(
        hypotheses=hypo,
        camera=camera_of(camera, fx, fy, cx, cy, fov),
        tracker=tracker,
        max_people=max_people,
        seed=seed,
        seconds=seconds,
        record=record,
    )
    models = Models(
        InferRequest(
            input=found.path,
            out=record or Path(),
            detector=detector,
            weights=weights,
            device=device,
            options=options_of(preset, iterations),
        )
    )
    with _shown(show) as on_frame:
        report = run_live(found, detector=models.detector, lifter=models.lifter, options=options, on_frame=on_frame)
    said = f"{report.frames} frames, {report.rate_hz:.1f} frames/s, {report.dropped} dropped, camera: {report.camera}"
    say(said)
    for file in report.files:
        say(str(file))
    if json:
        print_json(report)


def _need_display() -> None:
    """InputError where no window can be shown, before OpenCV ends the process over it."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise InputError(
            "--show: there is no display here (DISPLAY is not set); use --record DIR, or run it on a desktop"
        )


@contextmanager
def _shown(window: bool) -> Iterator[Callable[[LiveFrame], bool]]:
    """What is done with each frame: a line with the rate, and the window."""
    cv2: Any = _opencv() if window else None
    with console.status("waiting for the first frame") as line:

        def on_frame(done: LiveFrame) -> bool:
            people = int(done.poses.present.sum())
            line.update(f"{done.rate_hz:.1f} frames/s, {people} people, {done.dropped} dropped (Ctrl-C ends)")
            return cv2 is None or _goes_on(cv2, done)

        try:
            yield on_frame
        finally:
            if cv2 is not None:
                cv2.destroyAllWindows()


def _opencv() -> Any:
    """OpenCV with a window; InputError for a build that has none."""
    import cv2

    try:
        cv2.namedWindow(_WINDOW, cv2.WINDOW_NORMAL)
    except cv2.error:
        raise InputError("--show: this OpenCV shows no windows; install opencv-python, or use --record DIR") from None
    return cv2


def _goes_on(cv2: Any, done: LiveFrame) -> bool:
    """Show the frame; False when somebody pressed q or closed the window."""
    picture = done.drawn()
    text = f"{done.rate_hz:.1f} frames/s"
    cv2.putText(picture, text, (10, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 255, 255), 2, cv2.LINE_AA)
    cv2.imshow(_WINDOW, picture[..., ::-1])
    key = cv2.waitKey(1) & 0xFF
    return key not in _ENDS and cv2.getWindowProperty(_WINDOW, cv2.WND_PROP_VISIBLE) >= 1
