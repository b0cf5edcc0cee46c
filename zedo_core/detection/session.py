"""Models in ONNX files as functions of pictures; the only module that imports onnxruntime."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from zedo_core.errors import MissingExtraError, WeightsError

MOST_PX = 8192  # side of the pictures that a model takes; larger ones, from a damaged file, would fill the memory
_LEAST_VERSION = (1, 20)
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(int32)": np.int32}


class Value(NamedTuple):
    """An input or output; sizes that are not fixed are names."""

    name: str
    shape: tuple[int | str | None, ...]
    type: str

    def __str__(self) -> str:
        return f"{self.name} ({', '.join(str(size or '?') for size in self.shape)}) {self.type}"


class Model:
    """A model of one input, on a GPU where `device` is one and that build of onnxruntime is installed.

    WeightsError when onnxruntime cannot read or run it, MissingExtraError without onnxruntime.
    """

    def __init__(self, path: Path, device: str) -> None:
        self.path, self._session = path, _session(path, device)
        self.inputs, self.outputs = (
            [Value(value.name, tuple(value.shape), value.type) for value in values]
            for values in (self._session.get_inputs(), self._session.get_outputs())
        )
        self.metadata: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)

    def __str__(self) -> str:
        inputs, outputs = (", ".join(map(str, values)) for values in (self.inputs, self.outputs))
        return f"a model of {inputs or 'nothing'} that gives {outputs}"

    @property
    def picture_px(self) -> tuple[int | None, int | None] | None:
        """Width and height of the RGB pictures (n, 3, h, w) that it takes, None for any; None for another input."""
        kinds = ("tensor(float)", "tensor(float16)")
        if len(self.inputs) != 1 or len(self.inputs[0].shape) != 4 or self.inputs[0].type not in kinds:
            return None
        batch, colours, height, width = (size if isinstance(size, int) else None for size in self.inputs[0].shape)
        fits = batch in (1, None) and colours in (3, None) and max(width or 1, height or 1) <= MOST_PX
        return (width, height) if fits else None

    def __call__(self, pictures: ndarray) -> list[ndarray]:
        """Its outputs for some pictures: in one batch, or one after the other where it takes one picture only."""
        name, shape, kind = self.inputs[0]
        pictures = pictures.astype(_TYPES[kind])
        batches = np.split(pictures, len(pictures)) if isinstance(shape[0], int) else [pictures]
        try:
            outputs = [self._session.run(None, {name: batch}) for batch in batches]
        except Exception as error:  # it raises a class of its own for each of its codes
            raise WeightsError(f"{self.path}: expected a model that runs, got '{_reason(error)}' of {self}") from None
        return [np.concatenate(values) for values in zip(*outputs, strict=True)]


def wrong(model: Model, form: str, found: str) -> WeightsError:
    """The error for a model that is of another form than expected."""
    return WeightsError(f"{model.path}: expected {form}, got {found}: {model}")


def _session(path: Path, device: str) -> Any:
    onnxruntime = _onnxruntime(path)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what is wrong is raised as well
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads leave the cores to others
    options.intra_op_num_threads = _threads()
    providers: list[Any] = ["CPUExecutionProvider"]
    if device.startswith("cuda") and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        _, _, index = device.partition(":")
        providers.insert(0, ("CUDAExecutionProvider", {"device_id": int(index or 0)}))
    try:
        return onnxruntime.InferenceSession(path, options, providers=providers)
    except Exception as error:  # see above
        raise WeightsError(f"{path}: expected an ONNX model, cannot read it ({_reason(error)})") from None


def _threads() -> int:
    """Threads of a computation by OMP_NUM_THREADS, as in other libraries; 0 without it, as many as there are cores."""
    first, _, _ = os.environ.get("OMP_NUM_THREADS", "").partition(",")  # "4,2": two levels
    return int(first) if first.strip().isdecimal() else 0


def _onnxruntime(path: Path) -> Any:
    """The package, silent and without telemetry; MissingExtraError when it is not there or too old."""
    least = ".".join(map(str, _LEAST_VERSION))
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError(
            f"{path}: expected the package onnxruntime, cannot import it ({error}); pip install onnxruntime"
        ) from None
    if tuple(int(part) for part in onnxruntime.__version__.split(".")[:2]) < _LEAST_VERSION:
        raise MissingExtraError(
            f"{path}: expected onnxruntime {least} or newer, got {onnxruntime.__version__}; "
            f"pip install 'onnxruntime>={least}'"
        )
    onnxruntime.set_default_logger_severity(4)
    onnxruntime.disable_telemetry_events()
    return onnxruntime


def _reason(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
