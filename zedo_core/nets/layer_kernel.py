"""A layer of the score network as a single Triton kernel; requires triton, which is installed with torch on Linux."""

from __future__ import annotations

from typing import no_type_check

import torch
import triton
import triton.language as tl
from jaxtyping import Float
from torch import Tensor

_FEW_ROWS = 1024  # below this, smaller tiles use more of the multiprocessors


def launch(
    x: Float[Tensor, "b inputs"],
    weight: Float[Tensor, "inputs outputs"],
    row: Float[Tensor, " outputs"],
    norm: Float[Tensor, "2 outputs"] | None = None,
    group: int = 1,
    eps: float = 0.0,
    skip: Float[Tensor, "b outputs"] | None = None,
) -> Float[Tensor, "b outputs"]:
    """SiLU(GroupNorm(x W + row)) + skip in float16; without `norm` only x W + row, in float32.

    `norm` contains gain and shift; `group` is the number of adjacent columns that are normalised together: a power of
    two that divides the number of outputs. Every group of x W + row must have a mean of 0.
    """
    count, (inputs, outputs) = len(x), weight.shape
    out = torch.empty(count, outputs, device=x.device, dtype=torch.float32 if norm is None else torch.float16)
    few = count < _FEW_ROWS
    rows, columns = (16, 64) if few else (128, 64 if outputs <= 64 else 128)
    if norm is not None and outputs % columns:
        columns = 64
    grid = (triton.cdiv(count, rows), triton.cdiv(outputs, columns))
    _layer[grid](  # type: ignore[call-arg]
        *(x, weight, row, row if norm is None else norm, x if skip is None else skip, out),
        *(count, inputs, outputs, eps),
        NORMALISED=norm is not None,
        ADDED=skip is not None,
        GROUP=group,
        ROWS=rows,
        COLUMNS=columns,
        INPUTS=64,
        num_warps=4 if few else 8,  # type: ignore[call-arg]
        num_stages=3,  # type: ignore[call-arg]
    )
    return out


@triton.jit
@no_type_check  # else the run-time checks of the tests wrap it, and Triton does not find its globals
def _layer(
    x_ptr,
    weight_ptr,
    row_ptr,
    norm_ptr,
    skip_ptr,
    out_ptr,
    count,
    inputs,
    outputs,
    eps,
    NORMALISED: tl.constexpr,
    ADDED: tl.constexpr,
    GROUP: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    INPUTS: tl.constexpr,
):
    """SiLU(GroupNorm(x W + row)) + skip for a tile of the output, whose columns are whole groups."""
    rows = (tl.program_id(0) * ROWS + tl.arange(0, ROWS)).to(tl.int64)
    columns = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    k = tl.arange(0, INPUTS)
    row_mask, column_mask = rows[:, None] < count, columns[None, :] < outputs
    total = tl.zeros((ROWS, COLUMNS), dtype=tl.float32)
    for start in range(0, inputs, INPUTS):
        i = start + k
        x = tl.load(x_ptr + rows[:, None] * inputs + i[None, :], mask=row_mask & (i[None, :] < inputs), other=0.0)
        weight = tl.load(
            weight_ptr + i[:, None] * outputs + columns[None, :], mask=(i[:, None] < inputs) & column_mask, other=0.0
        )
        total = tl.dot(x.to(tl.float16), weight, total)
    h = total + tl.load(row_ptr + columns, mask=columns < outputs, other=0.0)[None, :]
    if NORMALISED:
        groups = tl.reshape(h, (ROWS, COLUMNS // GROUP, GROUP))
        variance = tl.sum(groups * groups, axis=2) / GROUP
        h = tl.reshape(groups * tl.rsqrt(variance + eps)[:, :, None], (ROWS, COLUMNS))
        gain, shift = tl.load(norm_ptr + columns), tl.load(norm_ptr + outputs + columns)
        h = h * gain[None, :] + shift[None, :]
        h = h * tl.sigmoid(h)
    offset = rows[:, None] * outputs + columns[None, :]
    if ADDED:
        h += tl.load(skip_ptr + offset, mask=row_mask & column_mask, other=0.0).to(tl.float32)
    tl.store(out_ptr + offset, h.to(out_ptr.dtype.element_ty), mask=row_mask & column_mask)
