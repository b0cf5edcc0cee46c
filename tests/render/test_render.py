"""Videos, overlays and figures, written to files and read back."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from zedo_core.camera import Camera
from zedo_core.errors import InputError, OutputError
from zedo_core.render.draw import BACKGROUND, SIDES, draw_bones, draw_line, draw_text
from zedo_core.render.figure import _figure, save_figure
from zedo_core.render.overlay import render_overlay
from zedo_core.render.side_view import SideView, fit_view, nice_below
from zedo_core.render.video import video_writer
from zedo_core.skeleton import H36M17
from zedo_core.source import open_source
from zedo_core.types import Keypoints, Poses, Provenance

SIZE = (160, 120)
_MIDDLE = {
    "pelvis": (0, 0, 0),
    "spine": (0, -0.25, 0),
    "thorax": (0, -0.5, 0),
    "neck_nose": (0, -0.6, -0.1),
    "head_top": (0, -0.75, 0),
}
_LEFT = {
    "hip": (0.13, 0, 0),
    "knee": (0.15, 0.42, -0.1),
    "ankle": (0.16, 0.85, 0.1),
    "shoulder": (0.17, -0.46, 0),
    "elbow": (0.3, -0.2, 0),
    "wrist": (0.3, 0, -0.25),
}


def body() -> np.ndarray:
    """A standing person, pelvis at the origin, metres, (joint, 3)."""
    sides = {f"{side}_{n}": (s * x, y, z) for n, (x, y, z) in _LEFT.items() for side, s in (("left", 1), ("right", -1))}
    return np.array([{**_MIDDLE, **sides}[name] for name in H36M17.joints], float)


def people(t: int = 5, p: int = 2, h: int = 3, size: tuple[int, int] = SIZE) -> tuple[Poses, Keypoints]:
    """Two standing people side by side 4 m away, the second absent in the third frame."""
    camera = Camera.guess(size)
    person, frame = np.divmod(np.arange(p * t), t)
    joints = np.empty((p * t, h, len(H36M17), 3))
    joints[:] = body() + np.stack([-0.6 + 1.2 * person, 0 * person, 0 * person + 4.0], -1)[:, None, None]
    joints[:, 1:] += np.random.default_rng(0).normal(0, 0.05, joints[:, 1:].shape)
    present = (frame != 2) | (person != 1)
    frame, track, joints = frame[present], person[present] + 1, joints[present]
    xy = camera.project(joints[:, 0])
    common = {"frame": frame, "track": track, "skeleton": H36M17, "frame_numbers": np.arange(t), "fps": 30.0}
    keypoints = Keypoints(xy=xy, confidence=np.ones(xy.shape[:2]), image_sizes=(size,), **common)
    poses = Poses(
        joints=joints,
        score=np.tile(np.arange(h)[::-1], (len(joints), 1)).astype(float),
        chosen=np.zeros(len(joints), int),
        spread=np.zeros((len(joints), len(H36M17))),
        filled=np.zeros(len(joints), bool),
        cameras=(camera,),
        provenance=Provenance(method="test", weights="none", weights_sha256="", version="0"),
        **common,
    )
    return poses, keypoints


def frames_of(poses: Poses, keypoints: Keypoints, frames: list[int]) -> tuple[Poses, Keypoints]:
    """A subset of the frames of both."""

    def subset(people):
        part = people.take(np.isin(people.frame, frames))
        frame = np.searchsorted(frames, part.frame)
        return replace(part, frame=frame, frame_numbers=people.frame_numbers[frames])

    return subset(poses), subset(keypoints)


def images(path: Path) -> list[np.ndarray]:
    return [frame.image for frame in open_source(path)]


def duration_s(path: Path) -> float:
    """The duration stated in the file."""
    with av.open(str(path)) as container:
        return (container.duration or 0) / av.time_base


def write_grey_video(path: Path, times_s: list[float], size: tuple[int, int] = SIZE) -> Path:
    """Frame i has the grey value 10 + 20 i."""
    with video_writer(path, 30) as writer:
        for i, time_s in enumerate(times_s):
            writer.write(np.full((size[1], size[0], 3), 10 + 20 * i, np.uint8), time_s)
    return path


# Videos


@pytest.mark.parametrize("fps", [24000 / 1001, 25.0, 30000 / 1001, 60.0, 7.5])
def test_rate_and_duration_of_a_video(tmp_path, fps):
    path = tmp_path / "a.mp4"
    with video_writer(path, fps) as writer:
        for _ in range(12):
            writer.write(np.zeros((48, 64, 3), np.uint8))
    source = open_source(path)
    assert source.fps == fps and source.count == 12
    assert duration_s(path) == pytest.approx(12 / fps, abs=1e-3)


def test_a_video_plays_in_a_browser(tmp_path):
    path = tmp_path / "a.mp4"
    image = np.full((49, 65, 3), (200, 60, 20), np.uint8)
    with video_writer(path, 30) as writer:
        writer.write(image)
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt, context.width, context.height) == ("h264", "yuv420p", 66, 50)
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    assert np.abs(images(path)[0].astype(int) - (200, 60, 20)).max() < 6  # lossy coding


def test_uneven_times_of_a_video(tmp_path):
    times_s = [0.0, 0.01, 0.05, 0.3, 0.31, 1.5]
    path = write_grey_video(tmp_path / "a.mp4", times_s)
    assert [frame.time_s for frame in open_source(path)] == pytest.approx(times_s, abs=1e-4)
    assert duration_s(path) == pytest.approx(1.5 + 1 / 30, abs=1e-2)


def test_times_that_do_not_increase_lose_no_frame(tmp_path):
    frames = list(open_source(write_grey_video(tmp_path / "a.mp4", [0.0, 0.0, 0.1, 0.05])))
    assert len(frames) == 4
    assert (np.diff([frame.time_s for frame in frames]) > 0).all()


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupted_video_leaves_no_file(tmp_path, error):
    with pytest.raises(error), video_writer(tmp_path / "a.mp4", 30) as writer:
        writer.write(np.zeros((48, 64, 3), np.uint8))
        raise error
    assert not list(tmp_path.iterdir())


def test_a_video_without_frames_is_refused(tmp_path):
    with pytest.raises(OutputError, match="at least one frame"), video_writer(tmp_path / "a.mp4", 30):
        pass
    assert not list(tmp_path.iterdir())


# Drawing


def test_the_position_of_a_line():
    image = np.zeros((20, 30, 3), np.uint8)
    draw_line(image, np.array([5.0, 10.0]), np.array([25.0, 10.0]), (255, 0, 0), 1)
    assert (image[10, 6:25, 0] > 200).all() and image[10, 6:25, 1:].max() == 0
    assert image[:8].max() == 0 and image[13:].max() == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e12, -1e12])
def test_invalid_positions_are_skipped(bad):
    image = np.zeros((20, 30, 3), np.uint8)
    draw_bones(image, np.full((len(H36M17), 2), bad), H36M17, 2)
    assert image.max() == 0


@pytest.mark.parametrize("at", [(-5, 5), (5, -2), (28, 18), (-500, 5), (500, 500)])
def test_text_is_clipped_to_the_image(at):
    draw_text(np.zeros((20, 30, 3), np.uint8), "text", at, 12)


@pytest.mark.parametrize(
    ("length", "nice"), [(1.0, 1), (1.9, 1), (2.0, 2), (4.99, 2), (0.5, 0.5), (0.03, 0.02), (73, 50)]
)
def test_nice_lengths(length, nice):
    assert math.isclose(nice_below(length), nice)


def test_the_side_view_is_metric_upright_and_rotated():
    points = body() + np.array([0, 0, 4])
    view = fit_view(points, (300, 400))
    xy = view.pixels(points)
    assert (xy >= 0).all() and (xy <= (300, 400)).all()
    head, pelvis = xy[H36M17.index("head_top")], xy[H36M17.index("pelvis")]
    assert head[1] < pelvis[1] and head[0] == pytest.approx(pelvis[0])
    right, away = view.pixels(np.array([[1.0, 0, 4], [0, 0, 5.0]])) - view.pixels(np.array([0, 0, 4.0]))
    assert away[0] > 2 * right[0] > 0  # the panel mainly shows depth
    assert np.linalg.norm(view.rotation @ view.rotation.T - np.eye(3)) < 1e-12 < np.linalg.det(view.rotation)


def test_an_outlier_does_not_shrink_the_people():
    points = np.tile(body() + np.array([0, 0, 4]), (60, 1))
    with_outlier = np.concatenate([points, [[0, 0, 500.0]]])
    assert fit_view(with_outlier, (300, 400)).scale_px_per_m > 0.9 * fit_view(points, (300, 400)).scale_px_per_m


def test_the_side_view_without_people():
    assert np.isfinite(fit_view(np.full((17, 3), np.nan), (300, 400)).offset_px).all()


# Overlays


def near(image: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Pixels near this colour; the tolerance is for anti-aliasing and lossy coding."""
    return np.asarray((np.abs(image.astype(int) - colour) < 40).all(-1))


def test_an_image_shows_bones_at_their_projections(tmp_path):
    poses, keypoints = frames_of(*people(), [0])
    away = replace(keypoints, xy=np.full_like(keypoints.xy, 1e6))  # no dots on the bones
    render_overlay(poses, away, tmp_path / "a.png", source=None)
    image = np.asarray(Image.open(tmp_path / "a.png"))
    assert image.shape[0] == 120 and image.shape[1] > 160
    for side in ("left", "right"):
        ends = poses.camera(0).project(poses.best[0, H36M17.indices((f"{side}_hip", f"{side}_knee"))])
        x, y = ends.mean(0).round().astype(int)
        assert near(image[y - 2 : y + 3, x - 2 : x + 3], SIDES[side]).any()
    assert near(image[:, 160:], SIDES["left"]).any() and near(image[:, 160:], SIDES["right"]).any()
    assert (image[:10, :10] == BACKGROUND).all()


def test_an_image_shows_the_keypoints(tmp_path):
    poses, keypoints = frames_of(*people(p=1), [0])
    keypoints = replace(keypoints, xy=np.full_like(keypoints.xy, 10.0))
    joint = H36M17.index("left_wrist")
    only = np.zeros_like(keypoints.confidence)
    only[..., joint] = 1
    render_overlay(poses, replace(keypoints, confidence=only), tmp_path / "a.png", source=None)
    image = np.asarray(Image.open(tmp_path / "a.png"))
    assert near(image[10, 10], SIDES["left"])


def test_a_video_has_the_times_and_frames_of_its_input(tmp_path):
    times_s = [0.0, 0.1, 0.15, 0.4, 0.5]
    source = open_source(write_grey_video(tmp_path / "in.mp4", times_s))
    done = []
    render_overlay(*people(), tmp_path / "out.mp4", source=source, on_frame=done.append)
    frames = list(open_source(tmp_path / "out.mp4"))
    assert [frame.time_s for frame in frames] == pytest.approx(times_s, abs=1e-4)
    assert [frame.image[3, 3, 0] for frame in frames] == pytest.approx([10, 30, 50, 70, 90], abs=4)
    assert done == [1, 2, 3, 4, 5]


def test_frames_are_matched_by_number(tmp_path):
    source = open_source(write_grey_video(tmp_path / "in.mp4", [i / 30 for i in range(5)]))
    render_overlay(*frames_of(*people(), [1, 3]), tmp_path / "out.mp4", source=source)
    frames = list(open_source(tmp_path / "out.mp4"))
    assert [frame.image[3, 3, 0] for frame in frames] == pytest.approx([30, 70], abs=4)
    assert [frame.time_s for frame in frames] == pytest.approx([0, 2 / 30], abs=1e-4)


def test_frames_that_the_source_lacks(tmp_path, caplog):
    source = open_source(write_grey_video(tmp_path / "in.mp4", [0.0, 0.1]))
    render_overlay(*people(), tmp_path / "out.mp4", source=source)
    assert len(images(tmp_path / "out.mp4")) == 2 and "3 of 5 frames" in caplog.text
    poses, keypoints = people()
    with pytest.raises(InputError, match="found none"):
        render_overlay(replace(poses, frame_numbers=np.arange(50, 55)), keypoints, tmp_path / "no.mp4", source=source)
    assert not (tmp_path / "no.mp4").exists()


def test_absent_people_are_not_drawn(tmp_path):
    poses, keypoints = people()
    render_overlay(poses, keypoints, tmp_path / "a.mp4", source=None)
    frames = images(tmp_path / "a.mp4")
    half = slice(80, 155)  # where the second person stands
    assert near(frames[1][:, half], SIDES["left"]).any()
    assert not near(frames[2][:, half], SIDES["left"]).any()
    assert open_source(tmp_path / "a.mp4").fps == 30.0


def test_other_hypotheses_are_ghosts(tmp_path):
    poses, keypoints = frames_of(*people(p=1), [0])
    render_overlay(poses, keypoints, tmp_path / "with.png", source=None)
    same = replace(poses, joints=poses.joints[:, [0, 0, 0]])
    render_overlay(same, keypoints, tmp_path / "without.png", source=None)
    with_ghosts, without = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in ("with", "without"))
    assert (with_ghosts[:, 160:] != without[:, 160:]).any()
    np.testing.assert_array_equal(with_ghosts[:, :160], without[:, :160])


def test_without_scores_the_first_hypotheses_are_the_ghosts():
    poses, _ = people(t=1, h=14)
    some = replace(poses, chosen=np.full_like(poses.chosen, 2))
    seen = np.ones(some.spread.shape, bool)
    scores = some.score, some.score * np.nan, -some.score
    panels = [SideView(replace(some, score=score), seen, (480, 480)).draw(0) for score in scores]
    np.testing.assert_array_equal(panels[0], panels[1])  # the scores decrease, so that the first are the best
    assert (panels[2] != panels[0]).any()


def test_large_frames_are_scaled_down(tmp_path):
    for size, expected in (((3840, 2160), (1920, 1080)), ((1080, 2400), (486, 1080))):
        poses, keypoints = frames_of(*people(size=size), [0])
        Image.fromarray(np.full((size[1], size[0], 3), 250, np.uint8)).save(tmp_path / "in.png")
        render_overlay(poses, keypoints, tmp_path / "a.png", source=open_source(tmp_path / "in.png"))
        image = np.asarray(Image.open(tmp_path / "a.png"))
        assert image.shape[0] == expected[1]
        assert (image[1, : expected[0]] == 250).all() and (image[1, expected[0] :] < 100).all()


def test_images_of_different_sizes(tmp_path):
    (tmp_path / "in").mkdir()
    for name, size in (("1.png", (160, 120)), ("2.png", (60, 90))):
        Image.new("RGB", size, (250, 250, 250)).save(tmp_path / "in" / name)
    poses, keypoints = frames_of(*people(), [0, 1])
    keypoints = replace(keypoints, image_sizes=((160, 120), (60, 90)))
    render_overlay(poses, keypoints, tmp_path / "a.mp4", source=open_source(tmp_path / "in"))
    first, second = images(tmp_path / "a.mp4")
    assert first.shape == second.shape and first.shape[0] == 120
    assert first[5, 5].min() > 200 and second[5, 5].max() < 60 < 200 < second[5, 80].min()


def test_poses_that_cannot_be_projected(tmp_path):
    poses, keypoints = people()
    joints = poses.joints.copy()
    joints[0, :, :, 2] *= -1  # behind the camera
    joints[1, 0, 3] = np.nan  # a single joint
    joints[3, 0, :, 2] = 1e-5  # at the camera
    joints[4] = np.nan  # a row without any joint
    render_overlay(replace(poses, joints=joints), keypoints, tmp_path / "a.mp4", source=None)
    assert len(images(tmp_path / "a.mp4")) == 5
    render_overlay(poses.take(slice(0)), keypoints, tmp_path / "b.mp4", source=None)
    assert len(images(tmp_path / "b.mp4")) == 5


@pytest.mark.parametrize("name", ["a.png", "a.avi", "a"])
def test_wrong_suffixes_are_refused(tmp_path, name):
    with pytest.raises(OutputError, match=r"\.mp4"):
        render_overlay(*people(), tmp_path / name, source=None)
    assert not list(tmp_path.iterdir())


def test_the_overlay_of_a_camera_recording(tmp_path, shared):
    source = open_source(shared / "assets/videos/balance/cam03.mp4")
    render_overlay(*people(size=(1088, 1920)), tmp_path / "a.mp4", source=source)
    frames = list(open_source(tmp_path / "a.mp4"))
    assert [frame.time_s for frame in frames] == pytest.approx(np.arange(5) / 60, abs=1e-4)
    assert frames[0].size == (612 + 810, 1080)


# Figures


def test_a_figure(tmp_path):
    poses, keypoints = people(t=8)
    save_figure(poses, keypoints, tmp_path / "a.png")
    image = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"))
    assert image.shape[1] > image.shape[0] > 500
    assert (image < 200).any() and (image[0] == 255).all()


def test_a_figure_shows_the_most_complete_track(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "zedo_core.render.figure._draw_keypoints", lambda axes, kp, number, track: drawn.append((track, number))
    )
    poses, keypoints = people()
    removed = (poses.track == 1) & np.isin(poses.frame, [0, 4])
    save_figure(poses.take(~removed), keypoints, tmp_path / "a.png")
    assert drawn == [(2, 0), (2, 1), (2, 3), (2, 4)]


def test_a_figure_is_dashed_and_pale_where_joints_were_not_seen():
    poses, keypoints = people(t=1, p=1, h=1)
    knee, ankle = H36M17.indices(("left_knee", "left_ankle"))
    confidence = keypoints.confidence.copy()
    confidence[0, [knee, ankle]] = 0.2, 0.0
    image_axes, axes_3d = _figure(poses, replace(keypoints, confidence=confidence)).axes
    bones = [H36M17.edges.index(next(edge for edge in H36M17.edges if edge[0] == joint)) for joint in (knee, ankle)]
    assert [b for b, line in enumerate(image_axes.lines) if line.get_alpha() != 1] == sorted(bones)
    (body_3d,) = axes_3d.collections
    styles = np.array(body_3d.get_linestyle(), object)  # offset and dashes
    assert [b for b, (_, dashes) in enumerate(styles) if dashes is not None] == [bones[1]]


def test_figures_that_cannot_be_drawn(tmp_path):
    poses, keypoints = people()
    with pytest.raises(InputError, match="expected a frame with a pose"):
        save_figure(poses.take(slice(0)), keypoints, tmp_path / "a.png")
    with pytest.raises(OutputError, match=r"\.png"):
        save_figure(poses, keypoints, tmp_path / "a.xyz")
    assert not list(tmp_path.iterdir())
