"""The project's performance targets and whether a run reaches them; missing one is not an error."""

from __future__ import annotations

from zedo_core.methods.benchmark import PACKAGED, Bench, Measurement, Ratio, Target

WIDE = "wide"  # the network in the paper's size
_GB = 10**9


def ratios(bench: Bench) -> list[Ratio]:
    """Our loop against the plain one, and the default preset against the plain reference, where both were timed."""
    pairs = []
    for network in (PACKAGED, WIDE):
        for S in sorted({m.hypotheses for m in bench.measurements}):
            plain, ours = (bench.find("comparison", what, network, S) for what in ("plain loop", "our loop"))
            pairs.append((f"our loop to the plain one, {network}, S = {S}", plain, ours))
            default = bench.find("rates", "default preset", network, S)
            reference = bench.find("comparison", "plain reference", network, S)
            pairs.append((f"default preset to the plain reference, {network}, S = {S}", reference, default))
    reference = bench.find("comparison", "plain reference", WIDE, 1)
    default = bench.find("rates", "default preset", PACKAGED, 1)
    pairs.append((f"default preset, {PACKAGED}, to the plain reference, {WIDE}, S = 1", reference, default))
    return [Ratio(name=name, slow=slow, fast=fast) for name, slow, fast in pairs if slow and fast]


def targets(bench: Bench) -> tuple[Target, ...]:
    """All targets; those for another kind of device have no value."""
    on_cpu, on_gpu = bench.machine.device == "cpu", bench.machine.device.startswith("cuda")
    return (*_cpu_targets(bench, on_cpu), *_gpu_targets(bench, on_gpu), _memory_target(bench))


def _cpu_targets(bench: Bench, on_cpu: bool) -> tuple[Target, ...]:
    plain, ours = (bench.find("comparison", what, WIDE, 1) for what in ("plain loop", "our loop"))
    reference, default = (
        bench.find("comparison", "plain reference", WIDE, 1),
        bench.find("rates", "default preset", WIDE, 1),
    )
    rows = f"{bench.request.people} people, S = 1, wide"
    return (
        _target(f"CPU: our loop against the plain one ({rows})", "x", 1.8, _ratio(plain, ours) if on_cpu else None),
        _target(
            f"CPU: default preset against the plain reference ({rows})",
            "x",
            40.0,
            _ratio(reference, default) if on_cpu else None,
            _scaling(reference, default),
        ),
        _ten_hypotheses_target(bench, reference, on_cpu),
    )


def _ten_hypotheses_target(bench: Bench, reference: Measurement | None, on_cpu: bool) -> Target:
    """The default preset always lifts ten candidates, and so takes as long for ten hypotheses as for one."""
    several = 10
    default = bench.find("rates", "default preset", WIDE, several)
    one = _ratio(reference, default)
    return _target(
        f"CPU: default preset against the plain reference ({bench.request.people} people, S = {several}, wide)",
        "x",
        40.0,
        several * one if on_cpu and one is not None else None,
        f"the plain reference lifts one hypothesis after the other: its time for one, times {several}",
    )


def _gpu_targets(bench: Bench, on_gpu: bool) -> tuple[Target, ...]:
    most = max(bench.request.hypotheses)
    plain, ours = (bench.find("comparison", what, WIDE, most) for what in ("plain loop", "our loop"))
    rows = f"{bench.request.people} people, S = {most}, wide"
    share = 100 * ours.ceiling_share if on_gpu and ours is not None and ours.ceiling_share is not None else None
    pictures = [(S, limit, bench.find("picture", "default preset", PACKAGED, S)) for S, limit in ((1, 3.0), (10, 4.0))]
    return (
        _target(f"GPU: our loop's share of its ceiling ({rows})", "%", 60.0, share),
        _target(
            f"GPU: our loop against the plain one ({rows})",
            "x",
            100.0,
            _ratio(plain, ours) if on_gpu else None,
            _scaling(plain, ours),
        ),
        *(
            _target(
                f"GPU: one picture, S = {S}, default preset",
                "ms",
                limit,
                1000 * picture.seconds if on_gpu and picture is not None else None,
                at_most=True,
            )
            for S, limit, picture in pictures
        ),
    )


def _memory_target(bench: Bench) -> Target:
    value = None if bench.memory is None else bench.memory.million_bytes / _GB
    name = "Memory of a million people beyond the results (default preset, S = 1)"
    note = "" if bench.memory is None else f"estimated from up to {max(bench.memory.rows)} people"
    return _target(name, "GB", 2.0, value, note, at_most=True)


def _ratio(slow: Measurement | None, fast: Measurement | None) -> float | None:
    """Speed-up of `fast` over `slow`; None when either was not measured."""
    return slow.seconds / fast.seconds if slow is not None and fast is not None else None


def _target(
    name: str, unit: str, limit: float, value: float | None, note: str = "", *, at_most: bool = False
) -> Target:
    return Target(
        name=name, unit=unit, limit=limit, at_most=at_most, value=value, note=note if value is not None else ""
    )


def _scaling(slow: Measurement | None, fast: Measurement | None) -> str:
    """Which of the two were timed in part and scaled up."""
    parts = [
        f"{one.what} timed on 1/{one.scaled_by:.3g} and scaled up"
        for one in (slow, fast)
        if one is not None and one.scaled_by > 1
    ]
    return "; ".join(parts)
