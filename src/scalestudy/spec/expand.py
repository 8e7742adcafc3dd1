"""A study to its runs, on a given machine."""

from collections.abc import Iterator
from dataclasses import dataclass

from scalestudy.errors import StudyError
from scalestudy.spec.catalog import STRATEGIES, called
from scalestudy.spec.cell_checks import cell_problems
from scalestudy.spec.config import Config, Scaling, StrategyEntry, StudySpec
from scalestudy.spec.data_key import prepared_key
from scalestudy.spec.data_sizes import train_images
from scalestudy.spec.layouts import BY_MACHINE, Layout, Machine, devices_per_node, parse
from scalestudy.spec.messages import Key, Problem
from scalestudy.spec.own_code import code_digest
from scalestudy.spec.run import Cell, Run, Study

MIN_STEPS = 4
"""Batches that an epoch has at least on as many devices as ``auto`` takes."""


def expand(config: Config, machine: Machine, study: str | None = None, source: str = "config.yaml") -> Study:
    """All runs of a study (``None``: the one that ``config.study`` names).

    Order: all cells with the first seed, then all with the second, which is how tables list them.

    Raises StudyError, one line for each mistake: more devices than there are, batches too small or too large for the
    devices, settings that the devices do not have, and a study without runs.
    """
    name = study or config.study
    if name not in config.studies:
        raise StudyError(f"{source}: study: found {name}; must be one of {', '.join(config.studies)}")
    planner = _Planner(config, machine, name)
    cells = list(planner.cells())
    if found := planner.problems or planner.all_cell_problems(cells):
        raise StudyError("\n".join(dict.fromkeys(problem.line(source) for problem in found)))
    runs = [planner.run(cell, seed) for seed in planner.study.all_seeds for cell in cells]
    if not runs:
        raise StudyError(
            f"{source}: studies.{name}: found no run in it; must have at least one that this machine can do"
        )
    return Study(
        name=name,
        runs=runs,
        accuracy_margin=planner.study.accuracy_margin,
        accuracy_target=planner.study.accuracy_target,
        repeats=planner.study.repeats,
        report=config.report,
        skipped=list(dict.fromkeys(planner.skipped)),
        notes=planner.notes_on(cells),
    )


@dataclass(frozen=True)
class _Planned:
    """A cell and the places in the configuration that it came from."""

    cell: Cell
    entry: StrategyEntry
    key: Key


class _Planner:
    """Resolves layouts once, then makes cells and runs of them."""

    def __init__(self, config: Config, machine: Machine, name: str) -> None:
        self.config = config
        self.machine = machine
        self.name = name
        self.study: StudySpec = config.studies[name]
        self.spec = config.cluster.as_machine() if machine.cluster else config.machine
        self.section = "cluster" if machine.cluster else "machine"
        self.nodes = self.spec.nodes
        self.problems: list[Problem] = []
        self.skipped: list[str] = []
        """Why combinations are left out."""
        self._notes: list[str] = []
        self.devices = devices_per_node(self.spec, machine)
        self._automatic = self._automatic_devices()
        self._layouts = [self._resolved(place, entry) for place, entry in enumerate(self.study.entries)]
        self.problems = list(self._machine_problems()) or self.problems
        folder = config.data.folder
        used = {workload: config.workloads[workload] for workload in self.study.workloads}
        self._folders = {name: f"{folder}/prepared/{prepared_key(workload.data)}" for name, workload in used.items()}
        self._code = {name: code_digest(workload.model.name) for name, workload in used.items()}

    def _automatic_devices(self) -> int:
        """Devices per node of layout ``auto``: all, or as many as every workload has work for, with the reason."""
        if self.spec.devices_per_node != "auto":
            return self.devices
        limits = [limit for name in self.study.workloads for limit in self._limits(name)]
        most, reason = min(limits, default=(self.devices * self.nodes, ""))
        if most >= self.devices * self.nodes:
            return self.devices
        taken = max(1, most // self.nodes)
        self._notes.append(
            f"auto: takes {taken} of {self.devices} devices per node ({reason}); name layouts to take more"
        )
        return taken

    def _limits(self, name: str) -> Iterator[tuple[int, str]]:
        """Devices that a workload has work for under each scaling of the study, and why no more."""
        workload = self.config.workloads[name]
        images = workload.data.train or train_images(workload.data)
        batch, scalings = workload.batch_size, self.study.scalings
        if "strong" in scalings:
            yield batch, f"a batch of {name} has {batch} image{'s' * (batch > 1)} to share"
        if images and "epoch" in scalings:
            reason = (
                f"an epoch of {name}, {images} images, would have fewer than {MIN_STEPS} batches of {batch} per device"
            )
            yield images // (batch * MIN_STEPS), reason
        if images and workload.weak_samples and "weak" in scalings:
            yield (
                images // workload.weak_samples,
                f"{name} has {images} images, {workload.weak_samples} for each device",
            )

    @property
    def _may_share(self) -> bool:
        """Whether there may be more devices than the machine has: processes can share a core, and no GPU."""
        return self.spec.oversubscribe and self.machine.device == "cpu"

    def _machine_problems(self) -> Iterator[Problem]:
        spec, there = self.spec, self.machine.devices
        if self._may_share or self.nodes * self.devices <= there:
            return
        key = "nodes" if spec.devices_per_node == "auto" else "devices_per_node"
        text = f"found {getattr(spec, key)}, together {self.nodes * self.devices} devices; {self._too_many(there)}"
        yield Problem((self.section, key), text)

    def _too_many(self, there: int) -> str:
        kind = {"cpu": "CPU device", "cuda": "GPU"}[self.machine.device]
        most = f"must be at most {there} {kind}{'s' * (there > 1)}"
        if self.machine.cluster:
            return f"{most}, those of the nodes that the key cluster describes"
        shared = ", or machine.oversubscribe true" if self.machine.device == "cpu" else ""
        return f"{most}, all that there are{shared}"

    def _resolved(self, place: int, entry: StrategyEntry) -> list[tuple[Layout, Key]]:
        """The layouts of an entry, each once; those that the machine lacks become problems or reasons."""
        found: dict[Layout, Key] = {}
        for item, text in enumerate(entry.layouts):
            key: Key = ("studies", self.name, "strategies", place, "layouts", item)
            by_machine = BY_MACHINE.get(text)
            layouts = by_machine(entry.name, self.nodes, self._automatic) if by_machine else [parse(text)]
            if not layouts:
                title = called(STRATEGIES[entry.name].title_on(self.machine.device), entry.label)
                has = "auto takes 1" if self.devices * self.nodes > 1 else "the study has 1"
                self.skipped.append(f"{title}: needs at least 2 devices, and {has}")
                continue
            if not by_machine and not self._may_share:
                self.problems += self._beyond(layouts[0], key, text)
            for layout in layouts:
                found.setdefault(layout, key)
        return list(found.items())

    def _beyond(self, layout: Layout, key: Key, text: str) -> Iterator[Problem]:
        devices = layout[0] * layout[1]
        if devices > self.machine.devices:
            yield Problem(key, f"found {text}, {devices} devices; {self._too_many(self.machine.devices)}")
        elif layout[1] > self.devices:
            yield Problem(
                key, f"found {text}; must be at most {self.devices} devices per node, as {self.section} has it"
            )

    def cells(self) -> Iterator[_Planned]:
        """By workload, scaling, strategy, layout."""
        for workload in self.study.workloads:
            for scaling in self.study.scalings:
                for entry, layouts in zip(self.study.entries, self._layouts, strict=True):
                    if entry.name == "serial" and self._base_stands(scaling):
                        continue
                    for (nodes, devices), key in layouts:
                        cell = Cell(
                            workload=workload,
                            scaling=scaling,
                            strategy=entry.name,
                            label=entry.label or "",
                            nodes=nodes,
                            devices_per_node=devices,
                        )
                        yield _Planned(cell, entry, key)

    def _base_stands(self, scaling: Scaling) -> bool:
        """On one device ``epoch`` and ``strong`` are the same run: it is planned under the first of the two."""
        same = [one for one in self.study.scalings if one in ("epoch", "strong")]
        return scaling in same[1:]

    def all_cell_problems(self, cells: list[_Planned]) -> list[Problem]:
        """One for each key: that of the cell with the most devices, which asks the most."""
        strictest: dict[Key, Problem] = {}
        for planned in sorted(cells, key=lambda planned: -planned.cell.devices):
            workload = self.config.workloads[planned.cell.workload]
            for problem in cell_problems(planned.cell, workload, planned.entry, self.machine, planned.key):
                strictest.setdefault(problem.key, problem)
        return list(strictest.values())

    def run(self, planned: _Planned, seed: int) -> Run:
        """The run of a cell with a seed."""
        cell = planned.cell
        return Run(
            study=self.name,
            cell=cell,
            seed=seed,
            workload=self.config.workloads[cell.workload],
            strategy_options=planned.entry.options,
            device=self.machine.device,
            cores_per_device=self.spec.cores_per_device,
            oversubscribed=cell.devices > self.machine.devices,
            cluster=self.machine.cluster,
            data_folder=self._folders[cell.workload],
            model_code=self._code[cell.workload],
        )

    def notes_on(self, cells: list[_Planned]) -> list[str]:
        """Why ``auto`` takes fewer devices, and a warning when nothing parallel remains."""
        alone = all(planned.cell.strategy == "serial" for planned in cells)
        return self._notes + (
            ["nothing parallel is left to compare: the report shows the serial base alone"] if alone else []
        )
