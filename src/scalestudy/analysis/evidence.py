"""What the sentence rules and headlines look at: the rows of the report, indexed, and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from scalestudy.analysis.cells import CellRow, CellRuns, key_of
from scalestudy.analysis.statistics import Estimate, ratio
from scalestudy.analysis.wording import configuration, plain
from scalestudy.records.parity import ParityRow
from scalestudy.records.report import (
    AccuracyRow,
    Counts,
    EnvironmentRow,
    PhaseRow,
    ProbeFacts,
    RunRow,
    SpeedupRow,
    WorkloadFacts,
)


@dataclass(frozen=True)
class Evidence:
    """All rows of a study."""

    counts: Counts
    speedup: Sequence[SpeedupRow]
    accuracy: Sequence[AccuracyRow]
    accuracy_margin: float
    phases: Sequence[PhaseRow]
    parity: Sequence[ParityRow]
    runs: Sequence[RunRow]
    workloads: Sequence[WorkloadFacts]
    environment: Sequence[EnvironmentRow]
    device_name: str
    cells: Sequence[CellRuns]
    probe: ProbeFacts = field(default_factory=ProbeFacts)

    def title(self, workload: str) -> str:
        """How the report calls the workload."""
        return plain(next((facts.title for facts in self.workloads if facts.name == workload), workload))

    def name(self, row: CellRow) -> str:
        """The strategy and layout in words, such as ``DDP, 8 GPUs on 2 nodes``."""
        return configuration(row, self.device_name)

    def scaling_groups(self) -> list[tuple[str, str]]:
        """Every workload and scaling of the study, in order."""
        return list(dict.fromkeys((row.workload, row.scaling) for row in self.speedup))

    def subject(self, workload: str, scaling: str) -> str:
        """``For TITLE``, with the scaling where the workload has several."""
        scalings = [other for name, other in self.scaling_groups() if name == workload]
        suffix = f" under {scaling} scaling" if len(scalings) > 1 else ""
        return f"For {self.title(workload)}{suffix}"

    def compared(self, workload: str, scaling: str) -> list[SpeedupRow]:
        """The parallel cells that have a speedup."""
        return [
            row
            for row in self.speedup
            if (row.workload, row.scaling) == (workload, scaling)
            and row.strategy != "serial"
            and row.speedup is not None
        ]

    def fastest(self, workload: str, scaling: str) -> SpeedupRow | None:
        """The parallel cell with the most images/s, or None."""
        return max(self.compared(workload, scaling), key=lambda row: row.images_per_s or 0.0, default=None)

    def fastest_per_workload(self) -> list[SpeedupRow]:
        """The fastest parallel cell of each workload under the first scaling that has one, weak scaling last."""
        found: dict[str, SpeedupRow] = {}
        for workload, scaling in sorted(self.scaling_groups(), key=lambda group: group[1] == "weak"):
            row = self.fastest(workload, scaling)
            if row is not None:
                found.setdefault(workload, row)
        return [found[facts.name] for facts in self.workloads if facts.name in found]

    def largest_by_strategy(self, rows: Sequence[SpeedupRow]) -> list[SpeedupRow]:
        """Of each strategy the row with most devices; of several layouts of so many, the one with the most images/s."""
        largest: dict[str, SpeedupRow] = {}
        for row in rows:
            kept = largest.get(row.strategy)
            if kept is None or (row.devices, row.images_per_s or 0) > (kept.devices, kept.images_per_s or 0):
                largest[row.strategy] = row
        return list(largest.values())

    def time_ratio(self, numerator: SpeedupRow, denominator: SpeedupRow) -> Estimate:
        """Epoch time of one cell over that of another, with its interval."""
        times = {cell.key: cell.times_s for cell in self.cells}
        return ratio(times[key_of(numerator)], times[key_of(denominator)])
