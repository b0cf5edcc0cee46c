"""The start of the fuzzing: a small valid file in every format, and its reader."""

from __future__ import annotations

import io
import json
import pickle
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

GOLDEN = Path(__file__).parents[1] / "golden"


@dataclass(frozen=True, kw_only=True)
class Target:
    """One reader: valid files (name and content), and the call."""

    name: str
    files: tuple[tuple[str, bytes], ...]
    read: Callable[[Path], Any]
    slow: bool = False  # more than a few milliseconds per case
    companions: tuple[tuple[str, bytes], ...] = ()  # unchanged files in the same folder


def targets() -> dict[str, Target]:
    """All readers by name."""
    from fuzz_seeds_more import more_targets  # which imports this module

    all_targets = (
        *_keypoints(),
        *_cameras(),
        *_calibrations(),
        *_results(),
        *_weights(),
        *_data_sets(),
        *more_targets(),
    )
    return {target.name: target for target in all_targets}


def _json(name: str, *values: Any) -> tuple[tuple[str, bytes], ...]:
    return tuple((name, json.dumps(value).encode()) for value in values)


def npz(**arrays: Any) -> bytes:
    """An npz in memory."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _written(write: Callable[[Path], Any], name: str) -> bytes:
    """The content of the file that `write` writes."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / name)
        return (Path(folder) / name).read_bytes()


def _keypoints() -> tuple[Target, ...]:
    from datasets_h36m import make_studio, views
    from keypoint_cases import (  # pyright: ignore[reportMissingImports]
        cmu_frame,
        coco_entry,
        flat,
        label_row,
        landmarks,
        mmpose_instance,
        openpose_frame,
        pose,
        two_frames,
    )
    from keypoint_kin import normalised_documents, pixel_documents  # pyright: ignore[reportMissingImports]
    from keypoint_tables import (  # pyright: ignore[reportMissingImports]
        deeplabcut_csv,
        long_csv,
        npy,
        pixel_trc,
        sleap_csv,
        wide_csv,
        write_deeplabcut,
        write_sleap,
    )

    from zedo_core.keypoints import read_keypoints, write_keypoints
    from zedo_core.skeleton import BLAZEPOSE33, BODY25, COCO18

    own = _written(lambda path: write_keypoints(two_frames(), path), "own.json")
    video = [{"frame_id": t, "instances": [mmpose_instance(pose())]} for t in range(2)]
    line = {"frame": 0, "people": [{"id": 1, "keypoints": flat(pose())}], "joints": "coco-17", "image_size": [9, 9]}
    documents = _json(
        "clip.json",
        [coco_entry(0, idx=1), coco_entry(1, idx=1)],
        openpose_frame(pose(BODY25)),
        {"0.jpg": cmu_frame(pose(COCO18))},
        [mmpose_instance(pose())],
        {"meta_info": {}, "instance_info": [{**frame, "frame_id": t + 1} for t, frame in enumerate(video)]},
        [landmarks(pose(BLAZEPOSE33)).tolist()],
        [[{"x": 0.5, "y": 0.5, "z": 0.0, "visibility": 1.0}] * 33],
        line,
    )
    lines = "\n".join(json.dumps({**line, "frame": t}) for t in range(3)).encode()
    arrays = npz(
        keypoints=np.stack([pose(), pose(x=110)]), joints="coco-17", image_size=(640, 480), fps=30.0,
        frame_numbers=[0, 2], track_ids=[4], times_s=[0.0, 0.1], K=np.eye(3),
    )  # fmt: skip
    one = {"S9": {"Walk": [views(make_studio(frames=2), "gt")["S9"]["Photo"][0]]}}
    metadata = {"layout_name": "h36m", "num_joints": 17, "video_metadata": {"S9": {"w": 9, "h": 9}}}
    videopose = npz(positions_2d=np.array(one, object), metadata=np.array(metadata, object))

    kin = [document for document, _ in pixel_documents().values()]
    dataset = {"images": [{"id": 1, "file_name": "1.png", "width": 9, "height": 9}], "categories": [],
               "annotations": [{"image_id": 1, "keypoints": flat(pose())}]}  # fmt: skip
    people, frames = np.stack([pose(), pose(x=110)]), [pose(), pose(x=110)]
    tables = [deeplabcut_csv(frames), wide_csv(frames), long_csv(frames), sleap_csv([[pose()], [pose()]])]
    tables.append(deeplabcut_csv([people, people], individuals=("a", "b")))
    hdf5 = [
        _written(lambda path: write_sleap(path, people[:, None]), "clip.h5"),
        _written(lambda path: write_deeplabcut(path, people[:, None]), "clip.h5"),
    ]

    def read(path: Path) -> Any:
        return read_keypoints(path, picture_size=(640, 480))

    return (
        Target(name="keypoints-json", files=(("clip.json", own), *documents, ("clip.json", lines)), read=read),
        Target(name="keypoints-txt", files=(("f_1.txt", label_row(pose()).encode()),), read=read),
        Target(name="keypoints-npz", files=(("clip.npz", arrays),), read=read),
        Target(name="keypoints-videopose", files=(("clip.npz", videopose),), read=read),
        Target(
            name="keypoints-kin", files=_json("clip.json", dataset, *kin, *normalised_documents().values()), read=read
        ),
        Target(name="keypoints-csv", files=tuple(("clip.csv", text.encode()) for text in tables), read=read),
        Target(name="keypoints-trc", files=(("clip.trc", pixel_trc([pose()] * 2).encode()),), read=read),
        Target(name="keypoints-hdf5", files=tuple(("clip.h5", content) for content in hdf5), read=read, slow=True),
        Target(
            name="keypoints-npy",
            files=(("clip.npy", npy(people)), ("clip.npz", npz(keypoints=people[..., :2], scores=people[..., 2]))),
            read=lambda path: read_keypoints(path, skeleton="coco-17"),
        ),
    )


def _calibrations() -> tuple[Target, ...]:
    """The forms of all tools; a case is read by the name of its first camera."""
    from calibration_cases import files

    from zedo_core.camera import read_camera
    from zedo_core.camera.calibrations import find_cameras
    from zedo_core.camera.calibrations._parsing import parse

    def read(path: Path) -> Any:
        names = [entry.names[0] for entry in find_cameras(parse(path), path) if entry.names]
        return read_camera(path, names[0] if names else None)

    by_suffix: dict[str, list[tuple[str, bytes]]] = {}
    for case in files().values():
        name, content = next(iter(case.contents.items()))
        by_suffix.setdefault(name.rpartition(".")[2], []).append((name, content.encode()))
    images = files()["COLMAP OPENCV"].contents["images.txt"].encode()
    return tuple(
        Target(name=f"calibration-{suffix}", files=tuple(seeds), read=read, companions=(("images.txt", images),))
        for suffix, seeds in by_suffix.items()
    )


def _cameras() -> tuple[Target, ...]:
    from zedo_core.camera import read_camera

    K = [[900.0, 0, 320], [0, 900.0, 240], [0, 0, 1]]
    rows = ", ".join(str(value) for row in K for value in row)
    toml = f'[cam_01]\nname = "cam_01"\nsize = [640.0, 480.0]\nmatrix = {K}\ndistortions = [0.1, 0.0, 0.0, 0.0]\n'
    toml += "rotation = [0.1, 0.2, 0.3]\ntranslation = [1.0, 2.0, 3.0]\n"
    opencv = f"%YAML:1.0\n---\ncamera_matrix: !!opencv-matrix\n   rows: 3\n   cols: 3\n   dt: d\n   data: [{rows}]\n"
    xml = "<?xml version='1.0'?><opencv_storage><K type_id='opencv-matrix'><rows>3</rows><cols>3</cols><dt>d</dt>"
    xml += f"<data>{rows.replace(',', '')}</data></K></opencv_storage>"
    return (
        Target(
            name="camera-json",
            files=_json(
                "c.json",
                {"fx": 900, "fy": 900, "cx": 320, "cy": 240, "size": [640, 480], "distortion": [0.1, 0, 0, 0]},
                {"left": {"K": K, "rotation": [0, 0, 0], "translation": [0, 0, 1]}},
            ),
            read=read_camera,
        ),
        Target(name="camera-toml", files=(("c.toml", toml.encode()),), read=read_camera),
        Target(name="camera-yaml", files=(("c.yaml", opencv.encode()),), read=read_camera),
        Target(name="camera-xml", files=(("c.xml", xml.encode()),), read=read_camera),
        Target(name="camera-npz", files=(("c.npz", npz(K=K, distortion=np.zeros(5))),), read=read_camera),
    )


def _results() -> tuple[Target, ...]:
    from export_cases import in_camera, poses_of, world_clip

    from zedo_core.export import load, save

    poses = poses_of(in_camera(world_clip(0, 2))[:, None], fps=25.0)
    return (
        Target(name="result-npz", files=(("p.npz", _written(lambda path: save(poses, path), "p.npz")),), read=load),
        Target(name="result-json", files=(("p.json", _written(lambda path: save(poses, path), "p.json")),), read=load),
        Target(
            name="convert",
            files=(
                ("p.npz", _written(lambda path: save(poses, path), "p.npz")),
                ("p.json", _written(lambda path: save(poses, path), "p.json")),
            ),
            read=convert,
            slow=True,
        ),
    )


def convert(path: Path) -> None:
    """Read a result and write it in every other format, as `zedo convert` does."""
    from zedo_core.export import formats, load, save

    poses = load(path)
    for suffix, format in formats().items():
        if not hasattr(format, "require"):  # formats of extras
            save(poses, path.parent / "out" / f"converted{suffix}")


def _weights() -> tuple[Target, ...]:
    import torch

    from zedo_core.diffusion.sde import SubVP
    from zedo_core.methods.zedo.initial_poses import load_initial_poses
    from zedo_core.methods.zedo.prior import load_official_prior, load_prior, save_prior
    from zedo_core.nets.score_mlp import ScoreMLP, ScoreMLPConfig
    from zedo_core.skeleton import H36M17

    torch.manual_seed(0)
    net = ScoreMLP(ScoreMLPConfig(width=32, time_width=4, blocks=1))
    with tempfile.TemporaryDirectory() as folder:
        save_prior(Path(folder), net, SubVP(), H36M17, "tiny")
        weights, config = ((Path(folder) / name).read_bytes() for name in ("prior.safetensors", "prior.json"))
    poses = np.random.default_rng(0).normal(0, 0.3, (3, 17, 3)).astype(np.float32)
    npy = io.BytesIO()
    np.save(npy, poses)
    return (
        Target(
            name="prior-safetensors",
            files=(("prior.safetensors", weights),),
            read=load_prior,
            companions=(("prior.json", config),),
        ),
        Target(
            name="prior-config",
            files=(("prior.json", config),),
            read=lambda path: load_prior(path.parent),
            companions=(("prior.safetensors", weights),),
        ),
        Target(
            name="checkpoint-pth",
            files=(("checkpoint_tiny.pth", _official()),),
            read=load_official_prior,
        ),
        Target(
            name="clusters", files=(("c.npz", npz(**{"3": poses})), ("c.npy", npy.getvalue())), read=load_initial_poses
        ),
    )


def _official() -> bytes:
    """The small official checkpoint, reduced to one narrow block, with few of the entries unused in inference."""
    import torch

    content = torch.load(GOLDEN / "checkpoint_tiny.pth", weights_only=True)
    state = {name: value for name, value in content["model_state_dict"].items() if "b2_" not in name}
    narrow = {64: 32, 1000: 4}
    shapes = {name: tuple(narrow.get(n, n) for n in value.shape) for name, value in state.items()}
    small = {name: value[tuple(map(slice, shapes[name]))].clone() for name, value in state.items()}
    buffer = io.BytesIO()
    torch.save({"model_state_dict": small, "ema": {"decay": 0.9}, "optimizer_state_dict": None, "step": 123}, buffer)
    return buffer.getvalue()


def _data_sets() -> tuple[Target, ...]:
    import datasets_h36m as h36m
    import datasets_other as other

    from zedo_core.data import load_samples, mocap
    from zedo_core.storage.pickles import load_pickle

    people = other.people(4, (1000.0, 1000.0, 500.0, 500.0), None)
    sequence = other.pw3d_sequence("street", [people], [np.ones(4)])
    paths = [f"imageFiles/street/image_{t:05d}.jpg" for t in range(4)]
    rows = h36m.entries(h36m.make_studio(frames=1))[:12]
    items = other.mpi_items(people, [f"TS1/{t}" for t in range(4)], [1] * 4, [1] * 4)
    mpi = other.mpi_arrays(people, [1] * 4, [1] * 4)
    ski = other.ski_arrays(people, np.ones(4), np.ones(4), np.arange(4))
    motion = np.random.default_rng(0).normal(0, 1, (6, 17, 3)).astype(np.float32)

    def reader(name: str) -> Callable[[Path], Any]:
        return lambda path: load_samples(name, path.parent, "test")

    return (
        Target(
            name="pickle",
            files=tuple(("p.pkl", pickle.dumps([sequence, rows[:2]], protocol)) for protocol in (0, 2, 4, 5)),
            read=load_pickle,
        ),
        Target(
            name="3dpw-npz",
            files=(("pw3d_test.npz", npz(**other.pw3d_npz(people, paths))),),
            read=reader("3dpw"),
        ),
        Target(name="3dpw-pkl", files=(("test/s.pkl", pickle.dumps(sequence, 2)),), read=_sequences),
        Target(name="h36m-pkl", files=(("h36m_test.pkl", pickle.dumps(rows, 4)),), read=reader("h36m")),
        Target(name="3dhp-pkl", files=(("mpii3d_test.pkl", pickle.dumps(items, 4)),), read=reader("3dhp")),
        Target(
            name="3dhp-mat",
            files=(("TS1/annot_data.mat", _written(lambda path: other.write_matlab(path, mpi), "m.mat")),),
            read=lambda path: load_samples("3dhp", path, "test"),
            slow=True,
        ),
        Target(
            name="ski-h5",
            files=(("ski_test.h5", _written(lambda path: other.write_hdf5(path, ski), "s.h5")),),
            read=lambda path: load_samples("ski", path, "test"),
            slow=True,
        ),
        Target(
            name="mocap",
            files=(
                ("m.npz", npz(positions=motion, offsets=[0, 4, 6], names=["a", "b"], split=["test", "test"], fps=30.0)),
            ),
            read=lambda path: mocap.load(path, "test"),
        ),
    )


def _sequences(path: Path) -> Any:
    from zedo_core.data import load_samples

    return load_samples("3dpw", path.parent.parent, "test")
