"""Small models in ONNX files: heads whose answers are known, and MoveNet behind a SimCC head."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

MEAN, STD = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
Shape = Sequence[int | str]
HALF = TensorProto.FLOAT16


def save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    outputs: dict[str, Shape],
    constants: dict[str, np.ndarray] | None = None,
    *,
    shape: Shape = ("batch", 3, 256, 192),
    kind: int = TensorProto.FLOAT,
    metadata: dict[str, str] | None = None,
) -> Path:
    """A model of one input `images`; constants are in the type of the input unless they are whole numbers."""
    arrays = {name: np.asarray(value) for name, value in (constants or {}).items()}
    real = helper.tensor_dtype_to_np_dtype(kind)
    initial = [
        numpy_helper.from_array(value if value.dtype.kind == "i" else value.astype(real), name)
        for name, value in arrays.items()
    ]
    graph = helper.make_graph(
        nodes,
        "model",
        [helper.make_tensor_value_info("images", kind, shape)],
        [helper.make_tensor_value_info(name, kind, size) for name, size in outputs.items()],
        initial,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, metadata or {})
    onnx.save(model, str(path))
    return path


def constant(
    path: Path, answers: dict[str, np.ndarray], shape: Shape = ("batch", 3, 256, 192), named: bool = True, **options
) -> Path:
    """A model that gives the same arrays (1, a, b) for each picture; sizes are written down if `named`."""
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Mul", ["mean", "zero"], ["nothing_4"]),
        helper.make_node("Squeeze", ["nothing_4", "last"], ["nothing"]),
        *(helper.make_node("Add", [f"{name}_is", "nothing"], [name]) for name in answers),
    ]
    constants = {f"{name}_is": value for name, value in answers.items()}
    outputs: dict[str, Shape] = {
        name: (shape[0], *(value.shape[1:] if named else (f"{name}_1", f"{name}_2"))) for name, value in answers.items()
    }
    return save(path, nodes, outputs, constants | {"zero": np.zeros(1), "last": np.array([3])}, shape=shape, **options)


def peaks(places: np.ndarray, scores: np.ndarray, bins: int) -> np.ndarray:
    """Rows (1, j, bins) of a SimCC head with their largest values at these places."""
    rows = np.zeros((1, len(places), bins))
    rows[0, np.arange(len(places)), places] = scores
    return rows


def codes(joints: int) -> np.ndarray:
    """A colour of its own for every joint (j, 3); between black and one of them lies no other."""
    red = np.linspace(20, 235, joints).round()
    return np.stack([red, 255 - red, np.zeros(joints)], -1)


def dots(path: Path, joints: int, shape: Shape = ("batch", 3, 256, 192), **options) -> Path:
    """A SimCC model that finds every joint at the dot of its colour in the crop, in mmpose's RGB."""
    colours = ((codes(joints) - MEAN) / STD).reshape(1, joints, 3, 1, 1)
    nodes = [
        helper.make_node("Unsqueeze", ["images", "second"], ["pictures"]),
        helper.make_node("Sub", ["pictures", "colours"], ["off"]),
        helper.make_node("Mul", ["off", "off"], ["square"]),
        helper.make_node("ReduceSum", ["square", "third"], ["apart"], keepdims=0),
        helper.make_node("Mul", ["apart", "sharp"], ["exponent"]),
        helper.make_node("Exp", ["exponent"], ["likely"]),
    ]
    for name, axis in (("x", 2), ("y", 3)):  # two places a pixel, of which the second is empty
        nodes += [
            helper.make_node("ReduceMax", ["likely"], [f"{name}_row"], axes=[axis], keepdims=0),
            helper.make_node("Unsqueeze", [f"{name}_row", "last"], [f"{name}_first"]),
            helper.make_node("Mul", [f"{name}_first", "zero"], [f"{name}_second"]),
            helper.make_node("Concat", [f"{name}_first", f"{name}_second"], [f"{name}_two"], axis=3),
            helper.make_node("Reshape", [f"{name}_two", "shape"], [f"simcc_{name}"]),
        ]
    constants = {
        "colours": colours,
        "sharp": np.array(-200.0),  # a colour is off by its tenth part where it is half as likely
        "zero": np.zeros(1),
        "second": np.array([1]),
        "third": np.array([2]),
        "last": np.array([3]),
        "shape": np.array([0, joints, -1]),
    }
    sizes: dict[str, Shape] = {"simcc_x": (shape[0], joints, "two_w"), "simcc_y": (shape[0], joints, "two_h")}
    return save(path, nodes, sizes, constants, shape=shape, **options)


def movenet_as_simcc(path: Path, thunder: Path) -> Path:
    """MoveNet Thunder as a SimCC model of 256 x 192 px: undoes mmpose's normalisation, and makes the picture wider."""
    model = onnx.load(str(thunder))
    for node in model.graph.node:
        node.input[:] = ["square" if name == "input:0" else name for name in node.input]
    bins = {"x": np.arange(2 * 192) / 2, "y": np.arange(2 * 256) / 2}
    constants = {
        "mean": MEAN.reshape(1, 3, 1, 1),
        "std": STD.reshape(1, 3, 1, 1),
        "right": np.array([0, 0, 0, 0, 0, 0, 64, 0]),
        "places_x": bins["x"].reshape(1, 1, -1),
        "places_y": bins["y"].reshape(1, 1, -1),
        "px": np.array(256.0),
        "half": np.array(0.5),
        "narrow": np.array(-1 / 8),
        "first": np.array([1]),
        "gather_y": np.array([0]),
        "gather_x": np.array([1]),
        "gather_score": np.array([2]),
    }
    before = [
        helper.make_node("Mul", ["images", "std"], ["scaled"]),
        helper.make_node("Add", ["scaled", "mean"], ["rgb"]),
        helper.make_node("Round", ["rgb"], ["whole"]),
        helper.make_node("Transpose", ["whole"], ["last_rgb"], perm=[0, 2, 3, 1]),
        helper.make_node("Pad", ["last_rgb", "right"], ["padded"]),
        helper.make_node("Cast", ["padded"], ["square"], to=TensorProto.INT32),
    ]
    after = [
        helper.make_node("Squeeze", ["Identity:0", "first"], ["joints"]),
        helper.make_node("Gather", ["joints", "gather_score"], ["score"], axis=2),
    ]
    for name in ("x", "y"):
        after += [
            helper.make_node("Gather", ["joints", f"gather_{name}"], [f"{name}_part"], axis=2),
            helper.make_node("Mul", [f"{name}_part", "px"], [f"{name}_edge"]),
            helper.make_node("Sub", [f"{name}_edge", "half"], [f"{name}_px"]),
            helper.make_node("Sub", [f"places_{name}", f"{name}_px"], [f"{name}_off"]),
            helper.make_node("Mul", [f"{name}_off", f"{name}_off"], [f"{name}_square"]),
            helper.make_node("Mul", [f"{name}_square", "narrow"], [f"{name}_exponent"]),
            helper.make_node("Exp", [f"{name}_exponent"], [f"{name}_peak"]),
            helper.make_node("Mul", [f"{name}_peak", "score"], [f"simcc_{name}"]),
        ]
    graph = model.graph
    nodes = [*before, *graph.node, *after]
    del graph.node[:], graph.input[:], graph.output[:]
    graph.node.extend(nodes)
    graph.input.append(helper.make_tensor_value_info("images", TensorProto.FLOAT, (1, 3, 256, 192)))
    for name, length in (("x", 384), ("y", 512)):
        graph.output.append(helper.make_tensor_value_info(f"simcc_{name}", TensorProto.FLOAT, (1, 17, length)))
    real = {name: value if value.dtype.kind == "i" else value.astype(np.float32) for name, value in constants.items()}
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in real.items())
    del graph.value_info[:]
    onnx.save(model, str(path))
    return path


def simcc(path: Path, *, joints: int = 17, x: float = 0.9, y: float = 0.9, **options) -> Path:
    """A SimCC model of 256 x 192 px that finds the joints on a line in each crop."""
    places = np.linspace(40, 340, joints).astype(int)
    return constant(
        path,
        {"simcc_x": peaks(places, np.full(joints, x), 384), "simcc_y": peaks(places, np.full(joints, y), 512)},
        **options,
    )


def yolo_rows(*people: tuple[float, float, float, float, float]) -> np.ndarray:
    """Boxes (centre, size, score), with joints on the diagonal of the box and confidences from 0.2 to 0.9."""
    part = np.linspace(-0.5, 0.5, 17)
    rows = []
    for x, y, width, height, score in people:
        joints = np.stack([x + part * width, y + part * height, np.linspace(0.2, 0.9, 17)], -1)
        rows.append([x, y, width, height, score, *joints.ravel()])
    return np.array(rows).reshape(-1, 56)


def yolo(path: Path, rows: np.ndarray, once: bool = False, size: tuple[int | str, ...] = (640, 640), **options) -> Path:
    """A YOLO model that gives these rows and many that are nobody."""
    rows = np.vstack([np.zeros((200, 56)), rows])
    if once:
        corners = [rows[:, :2] - rows[:, 2:4] / 2, rows[:, :2] + rows[:, 2:4] / 2]
        answer = np.concatenate([*corners, rows[:, 4:5], np.zeros((len(rows), 1)), rows[:, 5:]], 1)[None]
    else:
        answer = rows.T[None]
    return constant(path, {"output0": answer}, (1, 3, *size), **options)
