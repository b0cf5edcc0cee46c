"""The figures that the project set itself, and whether this run reaches them; nothing fails by them."""

from __future__ import annotations

from zedo_core.bench.record import Bench, Measurement, Target
from zedo_core.bench.work import PACKAGED, WIDE

_GB = 10**9


def ratio(slow: Measurement | None, fast: Measurement | None) -> float | None:
    """How many times faster; None when either was not measured."""
    return slow.seconds / fast.seconds if slow is not None and fast is not None else None


def targets(found: Bench) -> tuple[Target, ...]:
    """All targets; those of another kind of device have no value."""
    on_cpu, on_gpu = found.machine.device == "cpu", found.machine.device.startswith("cuda")
    return (*_of_cpu(found, on_cpu), *_of_gpu(found, on_gpu), _of_memory(found))


def _of_cpu(found: Bench, here: bool) -> tuple[Target, ...]:
    plain, ours = (found.find("comparison", what, WIDE, 1) for what in ("plain loop", "our loop"))
    reference, default = (
        found.find("comparison", "plain reference", WIDE, 1),
        found.find("rates", "default preset", WIDE, 1),
    )
    rows = f"{found.request.people} people, S = 1, wide"
    return (
        _target(f"CPU: our loop against the plain one ({rows})", "x", 1.8, ratio(plain, ours) if here else None),
        _target(
            f"CPU: default preset against the plain reference ({rows})",
            "x",
            40.0,
            ratio(reference, default) if here else None,
            _scaling(reference, default),
        ),
        _with_hypotheses(found, reference, here),
    )


def _with_hypotheses(found: Bench, reference: Measurement | None, here: bool) -> Target:
    """The default preset lifts several starts anyway, and so takes as long for ten hypotheses as for one."""
    several = 10
    default = found.find("rates", "default preset", WIDE, several)
    one = ratio(reference, default)
    return _target(
        f"CPU: default preset against the plain reference ({found.request.people} people, S = {several}, wide)",
        "x",
        40.0,
        several * one if here and one is not None else None,
        f"the plain reference lifts one hypothesis after the other: the time for one, times {several}",
    )


def _of_gpu(found: Bench, here: bool) -> tuple[Target, ...]:
    most = max(found.request.hypotheses)
    plain, ours = (found.find("comparison", what, WIDE, most) for what in ("plain loop", "our loop"))
    rows = f"{found.request.people} people, S = {most}, wide"
    share = 100 * ours.ceiling_share if here and ours is not None and ours.ceiling_share is not None else None
    pictures = [(S, limit, found.find("picture", "default preset", PACKAGED, S)) for S, limit in ((1, 3.0), (10, 4.0))]
    return (
        _target(f"GPU: our loop's share of its ceiling ({rows})", "%", 60.0, share),
        _target(
            f"GPU: our loop against the plain one ({rows})",
            "x",
            100.0,
            ratio(plain, ours) if here else None,
            _scaling(plain, ours),
        ),
        *(
            _target(
                f"GPU: one picture, S = {S}, default preset",
                "ms",
                limit,
                1000 * picture.seconds if here and picture is not None else None,
                at_most=True,
            )
            for S, limit, picture in pictures
        ),
    )


def _of_memory(found: Bench) -> Target:
    value = None if found.memory is None else found.memory.million_bytes / _GB
    name = "Memory of a million people beyond the results (default preset, S = 1)"
    note = "" if found.memory is None else f"estimated from up to {max(found.memory.rows)} people"
    return _target(name, "GB", 2.0, value, note, at_most=True)


def _target(
    name: str, unit: str, limit: float, value: float | None, note: str = "", *, at_most: bool = False
) -> Target:
    return Target(
        name=name, unit=unit, limit=limit, at_most=at_most, value=value, note=note if value is not None else ""
    )


def _scaling(slow: Measurement | None, fast: Measurement | None) -> str:
    """Which of the two were timed in part."""
    parts = [
        f"{one.what} timed on 1/{one.scaled_by:.3g} and scaled up"
        for one in (slow, fast)
        if one is not None and one.scaled_by > 1
    ]
    return "; ".join(parts)
