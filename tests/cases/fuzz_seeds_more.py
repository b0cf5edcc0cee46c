"""More files for the fuzzing: motion capture, folders, pictures, videos and zedo's own records."""

from __future__ import annotations

import io
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_seeds import Target, npz

_SIZE = (64, 48)  # px, of pictures and videos


def more_targets() -> tuple[Target, ...]:
    """The readers that are not in `fuzz_seeds`."""
    return (*_motions(), *_folders(), *_studio(), *_pictures(), *_records())


def _motions() -> tuple[Target, ...]:
    from bvh_cases import person, rest_pose
    from pair_cases import pair_arrays

    from zedo_core.data import bvh_motions
    from zedo_core.data.pairs import load_pairs
    from zedo_core.skeleton.files import load_skeleton

    rigs = [person(name)[0] for name in ("Mixamo", "Biovision", "3ds Max Biped")]
    own = {"name": "mine", "joints": ["a", "b", "c"], "parents": [None, "a", "a"]}
    forms = (
        own | {"symmetric": [["b", "c"]]},
        own | {"left": ["b"], "right": ["c"]},
        own | {"joints": ["a", "left_b", "right_b"], "parents": [-1, 0, 0]},
    )
    return (
        Target(
            name="bvh",
            files=tuple(("m.bvh", rig.text(rest_pose(rig)).encode()) for rig in rigs),
            read=bvh_motions.load,
        ),
        Target(
            name="pairs",
            files=(("p.npz", npz(**pair_arrays(6), offsets=[0, 4, 6])),),
            read=lambda path: load_pairs([(path, 1.0)]),
        ),
        Target(
            name="skeleton-json",
            files=tuple(("s.json", json.dumps(form).encode()) for form in forms),
            read=load_skeleton,
        ),
    )


def _folders() -> tuple[Target, ...]:
    from keypoint_cases import label_row, openpose_frame, pose  # pyright: ignore[reportMissingImports]

    from zedo_core.keypoints import read_keypoints
    from zedo_core.skeleton import BODY25

    frames = [json.dumps(openpose_frame(pose(BODY25, x=100.0 + t))).encode() for t in range(2)]
    rows = [label_row(pose(x=100.0 + t)).encode() for t in range(2)]

    def read(path: Path) -> Any:
        return read_keypoints(path.parent, picture_size=(640, 480))

    return (
        Target(
            name="openpose-folder",
            files=(("op/clip_000000000001_keypoints.json", frames[1]),),
            companions=(("op/clip_000000000000_keypoints.json", frames[0]),),
            read=read,
        ),
        Target(
            name="labels-folder",
            files=(("txt/clip_2.txt", rows[1]),),
            companions=(("txt/clip_1.txt", rows[0]),),
            read=read,
        ),
    )


def _studio() -> tuple[Target, ...]:
    """Human3.6M in the formats with several files."""
    import datasets_h36m as h36m

    from zedo_core.data import load_samples
    from zedo_core.data._h36m_cameras import find_cameras

    full = h36m.make_studio(frames=1)
    few = {(subject, name): take for (subject, name), take in full.takes.items() if name in ("Photo", "WalkDog")}
    studio = replace(full, takes=few)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        h36m.write_hdf5(folder / "takes", studio)
        h36m.write_videopose(folder, studio)
        h36m.write_json_cameras(folder / "cameras.json", studio)
        takes = {str(p.relative_to(folder / "takes")): p.read_bytes() for p in folder.glob("takes/**/*.h5")}
        npz = {path.name: path.read_bytes() for path in folder.glob("*.npz")}
        table = (folder / "cameras.json").read_bytes()
    poses = sorted(name for name in takes if "3D_positions" in name)
    hdf5 = poses[-1]
    both = ("data_3d_h36m.npz", "data_2d_h36m_gt.npz")
    return (
        Target(
            name="h36m-cameras",
            files=(("cameras.json", table), ("cameras.h5", takes["cameras.h5"])),
            read=lambda path: find_cameras(path.parent),
        ),
        Target(
            name="h36m-hdf5",
            files=((hdf5, takes[hdf5]),),
            companions=(*((name, takes[name]) for name in poses if name != hdf5), ("cameras.json", table)),
            read=lambda path: load_samples("h36m", path.parents[3], "test"),
            slow=True,
        ),
        *(
            Target(
                name=f"h36m-videopose-{kind}",
                files=((name, npz[name]),),
                companions=((other, npz[other]), ("cameras.json", table)),
                read=lambda path: load_samples("h36m", path.parent, "test"),
            )
            for kind, name, other in (("3d", *both), ("2d", *reversed(both)))
        ),
    )


def _pictures() -> tuple[Target, ...]:
    from zedo_core.camera import read_camera
    from zedo_core.source import open_source

    return (
        Target(name="exif", files=pictures()[:3], read=read_camera),
        Target(name="picture", files=pictures(), read=lambda path: list(open_source(path))),
        Target(name="video", files=videos(), read=lambda path: list(open_source(path)), slow=True),
    )


def pictures() -> tuple[tuple[str, bytes], ...]:
    """A picture with EXIF data in each format that supports them."""
    from PIL import Image
    from PIL.TiffImagePlugin import IFDRational

    rng = np.random.default_rng(0)
    files = []
    for suffix in ("jpg", "png", "webp", "tif"):
        exif = Image.Exif()
        exif[0x0112] = 6  # rotated
        exif.get_ifd(0x8769).update(
            {0x920A: IFDRational(50), 0xA405: 26, 0xA20E: IFDRational(600000, 360), 0xA210: 3, 0xA002: 64, 0xA003: 48}
        )
        buffer = io.BytesIO()
        picture = Image.fromarray(rng.integers(0, 255, (_SIZE[1] // 4, _SIZE[0] // 4, 3), dtype=np.uint8))
        picture.save(buffer, format={"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix.upper()), exif=exif)
        files.append((f"p.{suffix}", buffer.getvalue()))
    return tuple(files)


def videos() -> tuple[tuple[str, bytes], ...]:
    """Three frames in several containers and codecs."""
    kinds = (("mp4", "mpeg4"), ("mkv", "libx264"), ("avi", "mjpeg"), ("gif", "gif"))
    return tuple((f"v.{suffix}", video(suffix, codec)) for suffix, codec in kinds)


def video(suffix: str, codec: str, frames: int = 3) -> bytes:
    """A small video of noise."""
    import av

    rng = np.random.default_rng(0)
    pixels = {"mjpeg": "yuvj420p", "gif": "rgb8"}.get(codec, "yuv420p")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"v.{suffix}"
        with av.open(str(path), "w") as container:
            stream: Any = container.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = *_SIZE, pixels
            for _ in range(frames):
                image = rng.integers(0, 255, (_SIZE[1], _SIZE[0], 3), dtype=np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode())
        return path.read_bytes()


def _records() -> tuple[Target, ...]:
    from zedo_core.methods.zedo.card import model_card
    from zedo_core.weights import read_training

    training = {
        "options": {"steps": 10, "batch": 4},
        "data": {"poses": 100, "sources": ["a"]},
        "start": {"name": "b", "sha256": "c"},
        "result": {"validation": 0.5, "task": {"mpjpe_1_mm": 50.0, "mpjpe_10_mm": 40.0}},
        "seconds": {"total": 3.0},
    }

    def card(path: Path) -> Any:
        record = read_training(path.parent)
        sizes = {"weights": 10, "initial_poses": (3,)}
        return model_card(name="a", joints="d", **sizes, training=record, licence="mit", terms=None)

    return (Target(name="training-record", files=(("training.json", json.dumps(training).encode()),), read=card),)
