"""`zedo live`: people in front of a camera in 3D, in real time."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zedo_cli._options import (
    MOTION,
    OUTPUT,
    Camera,
    Cx,
    Cy,
    Detector,
    Device,
    Fov,
    Fx,
    Fy,
    Hypo,
    Iterations,
    Json,
    MaxPeople,
    Method,
    Preset,
    Quiet,
    Seed,
    Track,
    Weights,
    camera_choice,
    parse_folder,
)
from zedo_cli._output import console, print_json, say
from zedo_core.errors import InputError
from zedo_core.pipeline.request import LiveRequest

if TYPE_CHECKING:
    from zedo_core.pipeline.live import LiveFrame

_WINDOW = "zedo live (q to stop)"
_STOP_KEYS = {ord("q"), ord("Q"), 27}  # 27 is Escape


def live(
    source: Annotated[
        str, typer.Argument(metavar="[SOURCE]", help="Number of a camera, or a video file to play like one.")
    ] = "0",
    seconds: Annotated[
        float | None, typer.Option("--seconds", help="Stop after this many seconds; by default only by q or Ctrl-C.")
    ] = None,
    camera: Camera = None,
    fx: Fx = None,
    fy: Fy = None,
    cx: Cx = None,
    cy: Cy = None,
    fov: Fov = None,
    detector: Detector = LiveRequest.detector,
    track: Track = LiveRequest.track,
    max_people: MaxPeople = None,
    method: Method = LiveRequest.method,
    hypo: Hypo = LiveRequest.hypotheses,
    preset: Preset = None,
    iterations: Iterations = None,
    weights: Weights = None,
    device: Device = LiveRequest.device,
    seed: Seed = LiveRequest.seed,
    motion: Annotated[
        str,
        typer.Option(
            "--motion",
            help="Over time: full (bodies of about fixed bones, as far as the frames before tell) or off.",
            metavar="NAME",
            rich_help_panel=MOTION,
        ),
    ] = LiveRequest.motion,
    show: Annotated[bool, typer.Option("--show", help="Show a window; q stops.", rich_help_panel=OUTPUT)] = False,
    record: Annotated[
        Path | None,
        typer.Option(
            "--record",
            help="Folder for the recorded video, poses and keypoints.",
            metavar="DIR",
            parser=parse_folder,
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Lift the people in front of a camera in real time; frames that arrive in the meantime are dropped."""
    if show:
        _require_display()
    from zedo_core.detection import check_detector
    from zedo_core.pipeline.live import run_live
    from zedo_core.pipeline.models import Models, check_settings
    from zedo_core.source import open_live

    request = LiveRequest(
        hypotheses=hypo,
        camera=camera_choice(camera, fx, fy, cx, cy, fov),
        detector=detector,
        track=track,
        max_people=max_people,
        method=method,
        weights=weights,
        preset=preset,
        iterations=iterations,
        device=device,
        seed=seed,
        motion=motion,
        seconds=seconds,
        record=record,
    )
    check_settings(request)
    check_detector(request.detector)
    frames, models = open_live(source), Models(request)
    with _display(show) as on_frame:
        report = run_live(frames, detector=models.detector, lifter=models.lifter, request=request, on_frame=on_frame)
    say(f"{report.frames} frames, {report.rate_hz:.1f} frames/s, {report.dropped} dropped, camera: {report.camera}")
    for file in report.files:
        say(str(file))
    if json:
        print_json(report)


def _require_display() -> None:
    """InputError when no window can be shown, in which case OpenCV would abort the process."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise InputError(
            "--show: expected a display, found none (DISPLAY is not set); use --record DIR, or run on a desktop"
        )


@contextmanager
def _display(window: bool) -> Iterator[Callable[[LiveFrame], bool]]:
    """A callback that shows each frame: a line with the rate, and the window."""
    cv2: Any = _opencv() if window else None
    with console.status("waiting for the first frame") as line:

        def on_frame(done: LiveFrame) -> bool:
            people = len(done.poses)
            line.update(f"{done.rate_hz:.1f} frames/s, {people} people, {done.dropped} dropped (Ctrl-C to stop)")
            return cv2 is None or _show_frame(cv2, done)

        try:
            yield on_frame
        finally:
            if cv2 is not None:
                cv2.destroyAllWindows()


def _opencv() -> Any:
    """OpenCV with an open window; InputError for a build without windows."""
    import cv2

    try:
        cv2.namedWindow(_WINDOW, cv2.WINDOW_NORMAL)
    except cv2.error:
        raise InputError(
            "--show: this OpenCV cannot show windows; install opencv-python, or use --record DIR"
        ) from None
    return cv2


def _show_frame(cv2: Any, done: LiveFrame) -> bool:
    """Show the frame; False when q was pressed or the window closed."""
    image = done.drawn()
    text = f"{done.rate_hz:.1f} frames/s"
    cv2.putText(image, text, (10, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (255, 255, 255), 2, cv2.LINE_AA)
    cv2.imshow(_WINDOW, image[..., ::-1])
    key = cv2.waitKey(1) & 0xFF
    return key not in _STOP_KEYS and cv2.getWindowProperty(_WINDOW, cv2.WND_PROP_VISIBLE) >= 1
