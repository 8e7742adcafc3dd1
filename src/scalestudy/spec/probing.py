"""What is probed for a study: on each layout that it trains on, the serial trainings that its devices could do."""

from scalestudy.spec.base import SpecModel
from scalestudy.spec.run import Run, Study, digest_of


class ProbedTraining(SpecModel):
    """Serial training of a workload, by every device of a layout at once."""

    workload: str
    batch_size: int
    """Images of a step of each device when all work: strong scaling divides the base's among them."""
    run: Run
    """Any run of the study that trains so."""


class Probing(SpecModel):
    """The probe of one layout."""

    nodes: int
    devices_per_node: int
    trainings: list[ProbedTraining]

    @property
    def layout(self) -> str:
        """``NxD``, also the name of its file."""
        return f"{self.nodes}x{self.devices_per_node}"

    @property
    def devices(self) -> int:
        """All devices of the layout."""
        return self.nodes * self.devices_per_node

    @property
    def run(self) -> Run:
        """A run with one process per device of the layout, which pins devices as strategies have them."""
        example = self.trainings[0].run
        strategy = "ddp" if self.devices > 1 else "serial"
        return example.model_copy(update={"cell": example.cell.model_copy(update={"strategy": strategy, "label": ""})})

    @property
    def digest(self) -> str:
        """Hash of everything that it depends on."""
        return digest_of(self)


def probings(study: Study) -> dict[str, Probing]:
    """The probes of a study by layout: those that its parallel cells use, or one device where there are none."""
    parallel = [run for run in study.runs if run.cell.devices > 1]
    found: dict[str, dict[tuple[str, int], ProbedTraining]] = {}
    for run in parallel or study.runs:
        batch_size = batch_of_device(run)
        training = ProbedTraining(workload=run.cell.workload, batch_size=batch_size, run=run)
        found.setdefault(run.cell.layout, {}).setdefault((run.cell.workload, batch_size), training)
    return {layout: _probing(list(trainings.values())) for layout, trainings in found.items()}


def batch_of_device(run: Run) -> int:
    """Images of a step of each device; of the first, which have the largest share."""
    return -(-run.global_batch // run.cell.devices)


def _probing(trainings: list[ProbedTraining]) -> Probing:
    cell = trainings[0].run.cell
    return Probing(nodes=cell.nodes, devices_per_node=cell.devices_per_node, trainings=trainings)
