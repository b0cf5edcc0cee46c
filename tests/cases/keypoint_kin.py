"""One person in three frames, in the JSON of many tools: what `nested` and its neighbours read by structure."""

from __future__ import annotations

from typing import Any

import numpy as np
from keypoint_cases import SIZE, flat, landmarks, pose

from zedo_core.skeleton import BLAZEPOSE33, COCO17, COCO18, H36M17, HALPE26, Skeleton

XS = (100.0, 105.0, 110.0)  # px, of the person in the three frames
TFJS = COCO17.joints


def people(skeleton: Skeleton = COCO17) -> list[np.ndarray]:
    """The person of each frame, (j, 3)."""
    return [pose(skeleton, x) for x in XS]


def _ultralytics(person: np.ndarray, **more: Any) -> dict[str, Any]:
    x, y, visible = person.T.tolist()
    box = {"x1": 1.0, "y1": 2.0, "x2": 3.0, "y2": 4.0}
    return {"name": "person", "class": 0, "confidence": 0.9, "box": box,
            "keypoints": {"x": x, "y": y, "visible": visible}} | more  # fmt: skip


def _vit(person: np.ndarray) -> dict[str, Any]:
    return {"keypoints": person[:, :2].tolist(), "scores": person[:, 2].tolist(), "labels": list(range(len(person))),
            "bbox": [1.0, 2.0, 3.0, 4.0]}  # fmt: skip


def _mm(person: np.ndarray) -> dict[str, Any]:
    return {"keypoints": person[:, :2].tolist(), "keypoint_scores": person[:, 2].tolist(), "bbox": [[0, 0, 9, 9]],
            "bbox_score": 0.9}  # fmt: skip


def _tfjs(person: np.ndarray) -> dict[str, Any]:
    return {"score": 0.8, "keypoints": [{"y": y, "x": x, "score": c, "name": name}
                                        for name, (x, y, c) in zip(TFJS, person.tolist(), strict=True)]}  # fmt: skip


def _posenet(person: np.ndarray) -> dict[str, Any]:
    camel = [name.split("_")[0] + "".join(word.title() for word in name.split("_")[1:]) for name in TFJS]
    return {"score": 0.8, "keypoints": [{"score": c, "part": name, "position": {"x": x, "y": y}}
                                        for name, (x, y, c) in zip(camel, person.tolist(), strict=True)]}  # fmt: skip


def _openpose(person: np.ndarray) -> dict[str, Any]:
    return {"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": flat(person), "face_keypoints_2d": [],
                                        "hand_left_keypoints_2d": [0.5] * 63}]}  # fmt: skip


def _objects(person: np.ndarray, *keys: str) -> list[dict[str, float]]:
    return [dict(zip(keys, row, strict=False)) for row in landmarks(person).tolist()]


def _named(person: np.ndarray) -> dict[str, Any]:
    return {name: {"x": x, "y": y, "confidence": c} for name, (x, y, c) in zip(TFJS, person.tolist(), strict=True)}


Documents = dict[str, tuple[Any, Skeleton]]
RIGHT = np.array([400.0, 0.0, 0.0])  # px, from a person to another


def pixel_documents() -> Documents:
    """Documents with pixels and confidences of 0.5, and their joint set."""
    return {**_of_detectors(), **_of_trackers(), **_of_browsers()}


def _of_detectors() -> Documents:
    coco = people()
    each = list(enumerate(coco))
    meta = {"dataset_name": "coco", "keypoint_id2name": dict(enumerate(COCO17.joints))}
    order = np.random.default_rng(0).permutation(17)
    shuffled = {"keypoint_id2name": {i: COCO17.joints[j] for i, j in enumerate(order)}}
    demo = [{"frame_id": t + 1, "instances": [_mm(p)]} for t, p in each]
    other = [{"frame_id": t + 1, "instances": [_mm(p[order])]} for t, p in each]
    keypoints = [{"xy": [p[:, :2].tolist()], "conf": [p[:, 2].tolist()]} for p in coco]
    paths = [{"path": f"v_{t}.jpg", "orig_shape": [480, 640], "predictions": [_ultralytics(p)]} for t, p in each]
    instances = [{"scores": [0.9], "pred_boxes": [[1, 2, 3, 4]], "pred_keypoints": [p.tolist()]} for p in coco]
    whole = [np.vstack([p, np.full((116, 3), 0.9)]).tolist() for p in coco]
    halpe = [[*flat(p), *[9.0, 9.0, 0.9] * 110] for p in people(HALPE26)]
    documents = {
        "ultralytics frames": [[_ultralytics(p, track_id=7)] for p in coco],
        "ultralytics frames with paths": paths,
        "ultralytics dict of frames": {f"frame_{t}": [_ultralytics(p)] for t, p in each},
        "ultralytics Keypoints": [{"frame": t, "keypoints": k} for t, k in enumerate(keypoints)],
        "ultralytics data": [{"frame": t, "keypoints": [p.tolist()]} for t, p in each],
        "vitpose": [[_vit(p)] for p in coco],
        "vitpose per image": [{"image": f"{t}.png", "results": [_vit(p)]} for t, p in each],
        "mmpose lists": [[_mm(p)] for p in coco],
        "mmpose python": [{"predictions": [[_mm(p)]], "visualization": []} for p in coco],
        "mmpose batch": {"predictions": [[_mm(p)] for p in coco]},
        "mmpose demo with names": {"meta_info": meta, "instance_info": demo},
        "mmpose demo in another order": {"meta_info": shuffled, "instance_info": other},
        "detectron2 instances": [{"image_id": t, "instances": found} for t, found in enumerate(instances)],
        "rtmlib": {"keypoints": [k["xy"] for k in keypoints], "scores": [k["conf"] for k in keypoints]},
        "whole body of 133": [{"frame_id": t, "keypoints": rows} for t, rows in enumerate(whole)],
    }
    entries = [{"image_id": t, "category_id": 1, "keypoints": values} for t, values in enumerate(halpe)]
    return {name: (document, COCO17) for name, document in documents.items()} | {"halpe of 136": (entries, HALPE26)}


def _of_trackers() -> Documents:
    coco = people()
    each = list(enumerate(coco))
    mixed = [
        {"image_id": image, "category_id": 1, "keypoints": flat(p), "score": 1.0, "idx": idx}
        for image, idx, p in zip((1, "2", 3), ("7", 7, [7.0]), coco, strict=True)
    ]
    persons = [{str(t): {"keypoints": flat(p + i * RIGHT), "scores": None} for t, p in each} for i in range(2)]
    named = [{f"frame{t}": entry for t, entry in person.items()} for person in persons]
    h36m = [{"frame_id": t, "keypoints": p.tolist()} for t, p in enumerate(people(H36M17))]
    documents = {
        "poseflow": {f"{t}.png": [{"keypoints": flat(p), "scores": 2.5, "idx": 4}] for t, p in each},
        "annotations with frame_id": {"annotations": [{"frame_id": t, "keypoints": flat(p)} for t, p in each]},
        "alphapose by person, then frame": {"3": persons[0], "4": persons[1]},
        "person_id, then frame": {f"person_id-{i}": person for i, person in enumerate(named)},
        "image names with nested keypoints": [
            {"image_name": f"img_{t:04}.jpg", "keypoints": p.tolist()} for t, p in each
        ],
        "ids of text and numbers": mixed,
        "numbers alone": [p.tolist() for p in coco],
        "numbers of people": [[p.tolist()] for p in coco],
        "key with frames": {"fps": 25, "keypoints": [p.tolist() for p in coco]},
    }
    return {name: (document, COCO17) for name, document in documents.items()} | {
        "human3.6m order": ({"frames": h36m}, H36M17)
    }


def _of_browsers() -> Documents:
    coco, body = people(), people(COCO18)
    each = list(enumerate(coco))
    return {
        "openpose list": ([_openpose(p) for p in body], COCO18),
        "openpose by name": ({f"f_{t}": _openpose(p) for t, p in enumerate(body)}, COCO18),
        "controlnet": ([_openpose(p) | {"canvas_width": 640, "canvas_height": 480} for p in body], COCO18),
        "tensorflow.js": ([{"timestamp": 33 * t, "poses": [_tfjs(p)]} for t, p in each], COCO17),
        "tensorflow.js lists": ([[_tfjs(p)] for p in coco], COCO17),
        "posenet": ([_posenet(p) | {"frame": t} for t, p in each], COCO17),
        "joints under their names": ({"frames": [{"frame": t, "pose": _named(p)} for t, p in each]}, COCO17),
    }


def normalised_documents() -> dict[str, Any]:
    """Landmarks of BlazePose-33 relative to a picture of SIZE; where there is a visibility, it is 0.5."""
    blaze = people(BLAZEPOSE33)
    full = ("x", "y", "z", "visibility")
    seen = [_objects(p, *full) for p in blaze]
    bare = [_objects(p, "x", "y", "z") for p in blaze]
    zero = [[point | {"visibility": 0, "presence": 0.0} for point in frame] for frame in seen]
    world = [[{"x": 0.1, "y": -0.2, "z": 0.3, "visibility": 1.0}] * 33]
    return {
        "tasks": [[frame] for frame in seen],
        "tasks without visibility": [[frame] for frame in bare],
        "no visibility": bare,
        "visibility 0 everywhere": zero,
        "tasks result": [{"landmarks": [frame], "worldLandmarks": world} for frame in seen],
        "tasks python": [{"pose_landmarks": [frame], "pose_world_landmarks": world} for frame in seen],
        "web": [{"poseLandmarks": frame, "poseWorldLandmarks": world[0]} for frame in seen],
        "protobuf": [{"frame": t, "pose_landmarks": {"landmark": frame}} for t, frame in enumerate(seen)],
        "frames with landmarks": {"frames": [{"frame": t, "landmarks": frame} for t, frame in enumerate(seen)]},
        "rows of three": {"landmarks": [landmarks(p)[:, :3].tolist() for p in blaze]},
        "rows of five": [[[*row, 0.9] for row in landmarks(p).tolist()] for p in blaze],
        "with null": [seen[0], None, seen[1], [], seen[2]],
        "size in the file": {"width": SIZE[0], "height": SIZE[1], "frames": seen},
    }
