"""What the sentence rules and headlines look at: the rows of the report, indexed, and nothing else."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Protocol

from scalestudy.analysis.cells import CellKey, CellRuns, key_of
from scalestudy.analysis.language import ENGLISH, Language
from scalestudy.analysis.speedup import NO_BASE
from scalestudy.analysis.statistics import Estimate, ratio
from scalestudy.analysis.wording import Wording, plain
from scalestudy.records.base import OfCell
from scalestudy.records.findings import (
    ComplianceRow,
    MitigationRow,
    PredictionCurve,
    Refusal,
    RepeatRow,
    TargetRow,
    ValidationRow,
)
from scalestudy.records.parity import ParityRow
from scalestudy.records.report import (
    AccuracyRow,
    CommunicationRow,
    Counts,
    EfficiencyRow,
    EnvironmentRow,
    PhaseRow,
    ProbeFacts,
    RunRow,
    SpeedupRow,
    StrategyRow,
    WorkloadFacts,
)
from scalestudy.spec.repeats import RepeatsSpec


class Statement(NamedTuple):
    """What a rule writes."""

    text: str
    scaling: str = ""
    """The scaling that it is about; empty: several or none."""


class Scaled(Protocol):
    """Any row that names a workload and a scaling."""

    @property
    def workload(self) -> str: ...  # noqa: D102
    @property
    def scaling(self) -> str: ...  # noqa: D102


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
    communication: Sequence[CommunicationRow] = ()
    efficiencies: Sequence[EfficiencyRow] = ()
    targets: Sequence[TargetRow] = ()
    predictions: Sequence[PredictionCurve] = ()
    validation: Sequence[ValidationRow] = ()
    refusals: Sequence[Refusal] = ()
    compliance: Sequence[ComplianceRow] = ()
    repeats: Sequence[RepeatRow] = ()
    stopping: RepeatsSpec | None = None
    """When a cell got no more runs; None: every planned run was wanted."""
    strategies: Sequence[StrategyRow] = ()
    mitigations: Sequence[MitigationRow] = ()
    language: Language = ENGLISH

    @cached_property
    def wording(self) -> Wording:
        """How sentences are worded."""
        titles = {row.name: row.title for row in self.strategies}
        on_one_host: dict[CellKey, bool] = {}
        for run in self.runs:
            if run.nodes > 1 and run.outcome == "completed":  # a failed one names the host of its first rank alone
                key = key_of(run)
                on_one_host[key] = on_one_host.get(key, True) and len(set(run.host.split())) == 1
        return Wording(self.language, self.device_name, titles, {key for key, one in on_one_host.items() if one})

    def title(self, workload: str) -> str:
        """How the report calls the workload."""
        return plain(next((facts.title for facts in self.workloads if facts.name == workload), workload))

    def name(self, row: OfCell) -> str:
        """The strategy and layout in words, such as ``DDP, 8 GPUs on 2 nodes``."""
        return self.wording.configuration(row)

    def strategy(self, name: str) -> str:
        """How the report calls the strategy."""
        return self.wording.strategy(name)

    def kind(self, name: str) -> str:
        """What trains under the name that tables have for an entry."""
        return next((row.strategy for row in self.strategies if row.name == name and row.strategy), name)

    def scaling_groups(self) -> list[tuple[str, str]]:
        """Every workload and scaling of the study, in order."""
        return list(self._groups)

    def subject(self, workload: str, scaling: str) -> str:
        """``For TITLE``, with the scaling where the workload has several."""
        text = f"For {{title}} under {scaling} scaling" if self._scalings[workload] > 1 else "For {title}"
        return self.wording.say(text, title=self.title(workload))

    def statement(self, text: str, about: Scaled, **values: object) -> Statement:
        """The phrase about the workload and scaling of a row, which are its ``{subject}``."""
        subject = self.subject(about.workload, about.scaling)
        return Statement(self.wording.say(text, **({"subject": subject} | values)), about.scaling)

    @cached_property
    def _lacks_base(self) -> set[str]:
        """The notes, in the language of the report, on cells that lack nothing but a base."""
        return {self.language.reason(reason) for reason in NO_BASE}

    def comparable(self, workload: str, scaling: str) -> list[SpeedupRow]:
        """The parallel cells that have a speedup, or for want of a base alone have none."""
        rows = (row for row in self._groups.get((workload, scaling), ()) if row.strategy != "serial")
        return [row for row in rows if row.speedup is not None or row.note in self._lacks_base]

    def compared(self, workload: str, scaling: str) -> list[SpeedupRow]:
        """The parallel cells that have a speedup."""
        return [row for row in self.comparable(workload, scaling) if row.speedup is not None]

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

    def has_runs(self, row: SpeedupRow) -> bool:
        """Whether the times of the cell's single runs are known."""
        return key_of(row) in self._cells

    def time_ratio(self, numerator: SpeedupRow, denominator: SpeedupRow) -> Estimate:
        """Epoch time of one cell over that of another, with its interval."""
        return ratio(self._cells[key_of(numerator)].times_s, self._cells[key_of(denominator)].times_s)

    @cached_property
    def _groups(self) -> dict[tuple[str, str], list[SpeedupRow]]:
        """The cells of each workload and scaling, in order."""
        groups: dict[tuple[str, str], list[SpeedupRow]] = {}
        for row in self.speedup:
            groups.setdefault((row.workload, row.scaling), []).append(row)
        return groups

    @cached_property
    def _scalings(self) -> Counter[str]:
        """How many scalings each workload has."""
        return Counter(workload for workload, _ in self._groups)

    @cached_property
    def _cells(self) -> dict[CellKey, CellRuns]:
        return {cell.key: cell for cell in self.cells}
