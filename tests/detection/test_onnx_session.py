"""How ONNX models are run: threads, devices, and nothing else that is loaded or said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from detection_cases import asset
from onnx_cases import simcc

from zedo_core.detection.session import Model


class TestSession:
    @pytest.mark.parametrize(("text", "threads"), [("3", 3), ("4,2", 4), ("many", 0), ("", 0), (None, 0)])
    def test_threads(self, path: Path, text: str | None, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        if text is not None:
            monkeypatch.setenv("OMP_NUM_THREADS", text)
        model = Model(simcc(path), "cpu")
        assert model._session.get_session_options().intra_op_num_threads == threads

    @pytest.mark.parametrize(
        ("device", "there", "used"),
        [("cuda", True, 0), ("cuda:1", True, 1), ("cuda:1", False, None), ("cpu", True, None), ("mps", True, None)],
    )
    def test_device(
        self, path: Path, device: str, there: bool, used: int | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The GPU that is asked for where that build of onnxruntime is installed, else the CPU."""
        import onnxruntime

        given: list[list] = []
        real = onnxruntime.InferenceSession

        def session(path: Path, options: object, providers: list) -> object:
            given.append(providers)
            return real(path, options, providers=["CPUExecutionProvider"])

        available = [*(["CUDAExecutionProvider"] if there else []), "CPUExecutionProvider"]
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: available)
        monkeypatch.setattr(onnxruntime, "InferenceSession", session)
        Model(simcc(path), device)
        wanted = [] if used is None else [("CUDAExecutionProvider", {"device_id": used})]
        assert given == [[*wanted, "CPUExecutionProvider"]]


FRESH = """
import sys
heard = []
NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request")
sys.addaudithook(lambda event, arguments: heard.append(event) if event in NETWORK + ("subprocess.Popen",) else None)
import numpy as np
from PIL import Image
from zedo_core.detection import load_detector
from zedo_core.types import Frame
frame = Frame(image=np.array(Image.open(sys.argv[1]).convert("RGB")), number=0, time_s=0.0)
for path in sys.argv[2:]:
    print(len(load_detector(path).detect(frame)))
print(*heard, *(name for name in ("torch", "ultralytics", "onnx", "rtmlib") if name in sys.modules))
"""


def test_it_stays_alone_and_silent(path: Path, exported: Path) -> None:
    """No network, no other framework, nothing on stderr."""
    models = [simcc(path), exported / "plain.onnx"]
    command = [sys.executable, "-c", FRESH, str(asset("zidane.jpg")), *map(str, models)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split()[1:] == ["2"]
