"""The Triton kernel compiles for NVIDIA GPUs, which needs none; it runs in tests/gpu."""

from __future__ import annotations

from typing import Any

import pytest

triton = pytest.importorskip("triton", reason="Triton is not made for this system")


@pytest.mark.parametrize("architecture", [80, 90])
@pytest.mark.parametrize("rows", [16, 128])
@pytest.mark.parametrize("normalised", [True, False])
def test_it_compiles(architecture: int, rows: int, normalised: bool) -> None:
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from zedo_core.nets.layer_kernel import _layer

    constants: dict[str, Any] = {
        "NORMALISED": normalised,
        "ADDED": normalised,
        "GROUP": 16 if normalised else 1,
        "ROWS": rows,
        "COLUMNS": 64,
        "INPUTS": 64,
    }
    half, single = "*fp16", "*fp32"
    signature = {
        "x_ptr": half,
        "weight_ptr": half,
        "row_ptr": single,
        "norm_ptr": single,
        "skip_ptr": half,
        "out_ptr": half if normalised else single,
        "count": "i32",
        "inputs": "i32",
        "outputs": "i32",
        "eps": "fp32",
        **dict.fromkeys(constants, "constexpr"),
    }
    source = ASTSource(fn=_layer, signature=signature, constexprs=constants)
    compiled = triton.compile(source, target=GPUTarget("cuda", architecture, 32), options={"num_warps": 4})
    assert compiled.asm["ptx"]
