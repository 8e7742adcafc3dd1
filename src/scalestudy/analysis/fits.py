"""fits.csv: scaling laws fitted to the cells of each strategy, and what they say of cells that they did not see."""

import math
from collections.abc import Iterator, Sequence

from scalestudy.analysis.laws import LAWS, OF_SCALING, Law, fit, leave_one_out
from scalestudy.records.findings import FitCurve, FitRow, ValidationRow
from scalestudy.records.report import SpeedupRow

BEYOND = 4
"""Curves end at so many times the largest cell."""


class StrategyPoints:
    """The speedups of one strategy of a workload and scaling, by number of devices."""

    def __init__(self, rows: Sequence[SpeedupRow]) -> None:
        self.key = {"workload": rows[0].workload, "scaling": rows[0].scaling, "strategy": rows[0].strategy}
        points = sorted((row.devices, row.nodes, row.speedup) for row in rows if row.speedup and row.devices > 1)
        self.devices = [devices for devices, _, _ in points]
        self.nodes = [nodes for _, nodes, _ in points]
        self.speedup = [speedup for _, _, speedup in points if speedup is not None]

    @property
    def counts(self) -> list[int]:
        """Different numbers of devices."""
        return sorted(set(self.devices))

    def up_to(self, largest: int) -> tuple[list[int], list[float]]:
        """Devices and speedups of the cells of at most so many devices."""
        kept = [(p, s) for p, s in zip(self.devices, self.speedup, strict=True) if p <= largest]
        return [p for p, _ in kept], [s for _, s in kept]

    def refusal(self, law: Law, counts: Sequence[int]) -> str:
        """Why the law is not fitted to cells of these numbers of devices; empty when it can be."""
        if len(counts) >= law.least:
            return ""
        found = f"{len(counts)} ({', '.join(map(str, counts))} devices)" if counts else "no such count"
        return f"needs speedups on {law.least} different device counts above 1, found {found}"


def strategy_points(speedup: Sequence[SpeedupRow]) -> list[StrategyPoints]:
    """One for every strategy of a workload and scaling that can have several devices, in the order of the plan."""
    groups: dict[tuple[str, str, str], list[SpeedupRow]] = {}
    for row in speedup:
        if row.strategy != "serial":
            groups.setdefault((row.workload, row.scaling, row.strategy), []).append(row)
    return [StrategyPoints(rows) for rows in groups.values()]


def fit_rows(speedup: Sequence[SpeedupRow]) -> list[FitRow]:
    """One row per parameter of each law, or one that says why there is no fit."""
    return [row for points in strategy_points(speedup) for row in _rows(points)]


def fit_curves(speedup: Sequence[SpeedupRow]) -> list[FitCurve]:
    """The fitted laws at powers of two, and at the measured numbers of devices."""
    curves = []
    for points in strategy_points(speedup):
        for law in _laws(points):
            if points.refusal(law, points.counts):
                continue
            found = fit(law, points.devices, points.speedup)
            largest = BEYOND * points.counts[-1]
            devices = sorted({2**k for k in range(int(math.log2(largest)) + 1)} | set(points.counts))
            speedup_of = {}
            for p in devices:
                if not (predicted := found.predict(p)):
                    break  # a negative serial fraction ends the law at a pole, behind which it has no speedup
                speedup_of[p] = predicted[0]
            curves.append(FitCurve(**points.key, law=law.name, devices=[*speedup_of], speedup=[*speedup_of.values()]))
    return curves


def law_validation_rows(speedup: Sequence[SpeedupRow]) -> list[ValidationRow]:
    """Every cell of 2 K devices as predicted by the laws fitted to the cells of up to K."""
    return [row for points in strategy_points(speedup) for law in _laws(points) for row in _validation(points, law)]


def _laws(points: StrategyPoints) -> list[Law]:
    return [LAWS[name] for name in OF_SCALING[points.key["scaling"]]]


def _rows(points: StrategyPoints) -> Iterator[FitRow]:
    for law in _laws(points):
        largest = points.counts[-1] if points.counts else 0
        facts = {**points.key, "law": law.name, "n": len(points.counts), "largest_devices": largest}
        if refused := points.refusal(law, points.counts):
            yield FitRow.model_validate({**facts, "parameter": "", "refused": refused})
            continue
        found = fit(law, points.devices, points.speedup)
        error = leave_one_out(law, points.devices, points.speedup)
        for name, value, (low, high) in zip(law.parameters, found.values, found.intervals(), strict=True):
            numbers = {"parameter": name, "value": float(value), "low": low, "high": high, "error": error}
            yield FitRow.model_validate({**facts, **numbers})


def _validation(points: StrategyPoints, law: Law) -> Iterator[ValidationRow]:
    for held, nodes, measured in zip(points.devices, points.nodes, points.speedup, strict=True):
        devices, seen = points.up_to(held // 2)
        if held % 2 or points.refusal(law, sorted(set(devices))) or held // 2 not in devices:
            continue
        found = fit(law, devices, seen).predict(held)
        predicted, low, high = [speedup / held for speedup in found] if found else [None] * 3
        yield ValidationRow(
            **points.key,
            model=law.name,
            fitted_devices=held // 2,
            nodes=nodes,
            devices=held,
            predicted=predicted,
            low=low,
            high=high,
            measured=measured / held,
            error=found[0] / measured - 1 if found else None,
            reason="" if found else "the fitted law has no speedup on so many devices",
        )
