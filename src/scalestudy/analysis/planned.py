"""What the reader of a run's folder has to know of the plan."""

from dataclasses import dataclass

from scalestudy.spec.run import Run


@dataclass(frozen=True)
class Planned:
    """What the reader has to know of a planned run."""

    id: str
    digest: str
    epochs: int
    untimed_epochs: int
    ranks: int
    devices: int
    global_batch: int
    images: int | None
    """Training images of an epoch over all devices; None: as many as the data set has."""
    text: str = ""
    """Its run.json as the plan writes it: a file with this content need not be parsed."""

    @classmethod
    def of(cls, run: Run) -> "Planned":
        """Of a run."""
        return cls(
            id=run.id,
            digest=run.digest,
            epochs=run.workload.epochs,
            untimed_epochs=run.workload.untimed_epochs,
            ranks=run.processes,
            devices=run.cell.devices,
            global_batch=run.global_batch,
            images=run.train_samples,
        )
