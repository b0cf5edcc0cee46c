"""Lifting networks: shapes, the graph, and sizes that are refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from zedo_core.nets.graph import LocallyConnected, SemanticGraph, within
from zedo_core.nets.lifter import NETS, OURS, PAPER, Lifter2D, LifterConfig
from zedo_core.skeleton import H36M17

SMALL = {"width": 8, "blocks": 1}


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("table", [OURS, PAPER], ids=["ours", "paper"])
def test_modes_of_every_net(net: str, table: dict[str, LifterConfig]) -> None:
    config = replace(table[net], **SMALL)
    modes = Lifter2D(config, H36M17.edges).eval()(torch.randn(5, 17, 3), torch.randn(5, 3))
    assert modes.pose.shape == (5, config.modes, 17, 3) and modes.log_scale.shape == (5, config.modes, 17)
    torch.testing.assert_close(modes.weights.sum(1), torch.ones(5))
    expected = sum(modes.weights[:, m, None, None] * modes.pose[:, m] for m in range(config.modes))
    torch.testing.assert_close(modes.mean, expected)


@pytest.mark.parametrize("net", NETS)
def test_rows_are_independent(net: str) -> None:
    """In evaluation mode, also with batch normalisation."""
    lifter = Lifter2D(replace(PAPER[net], **SMALL), H36M17.edges).eval()
    local, whole = torch.randn(4, 17, 3), torch.randn(4, 3)
    torch.testing.assert_close(lifter(local, whole).pose[1:2], lifter(local[1:2], whole[1:2]).pose)


def test_neighbours() -> None:
    one, three = within(17, H36M17.edges, 1), within(17, H36M17.edges, 3)
    wrist, elbow, shoulder, thorax, hip = H36M17.indices(
        ("left_wrist", "left_elbow", "left_shoulder", "thorax", "left_hip")
    )
    assert one[wrist].nonzero().flatten().tolist() == sorted([wrist, elbow])
    assert three[wrist].sum() == 4 and three[wrist, [elbow, shoulder, thorax]].all() and not three[wrist, hip]
    assert torch.equal(three, three.T)


@pytest.mark.parametrize(("trunk", "reach"), [(LocallyConnected, 3), (SemanticGraph, 1)])
def test_a_layer_sees_neighbours_only(trunk: type, reach: int) -> None:
    """The gradient of one joint's features in the first layer."""
    stem = trunk(3, 4, 1, 17, H36M17.edges, 0.0).eval().stem
    layer = stem if reach == 3 else stem[0]
    x = torch.randn(2, 17, 3, requires_grad=True)
    wrist = H36M17.index("left_wrist")
    layer(x)[:, wrist].sum().backward()
    assert x.grad is not None
    touched = (x.grad != 0).any(-1).any(0)
    assert (touched <= within(17, H36M17.edges, reach)[wrist]).all() and touched.any()


def test_principal_components() -> None:
    """Only what lies in the span of the components reaches the network."""
    lifter = Lifter2D(replace(LifterConfig(components=2), **SMALL), H36M17.edges).eval()
    lifter.pca_basis.copy_(torch.linalg.qr(torch.randn(34, 2)).Q)
    local, whole = torch.randn(3, 17, 3), torch.randn(3, 3)
    places = local[..., :2].flatten(1)
    outside = torch.randn(3, 34)
    outside -= outside @ lifter.pca_basis @ lifter.pca_basis.T
    moved = torch.cat([(places + outside).unflatten(1, (17, 2)), local[..., 2:]], dim=2)
    torch.testing.assert_close(lifter(local, whole).pose, lifter(moved, whole).pose, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "sizes",
    [{"net": "vit"}, {"width": 0}, {"modes": 0}, {"dropout": 1.0}, {"components": 35}, {"net": "lcn", "components": 3}],
)
def test_sizes_out_of_range(sizes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        LifterConfig(**sizes)  # type: ignore[arg-type]
