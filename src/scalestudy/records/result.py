"""result.json: what came of a run."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from scalestudy.records.provenance import Provenance

PHASES = (
    "data",
    "host_to_device",
    "forward",
    "backward",
    "communication",
    "waiting",
    "optimizer",
    "other",
)
"""The phases of a step in order; they add up to the step time. ``communication`` is what the device waits for
communication alone (exposed), ``waiting`` what it waits for the slowest device."""


class Record(BaseModel):
    """A model of a record: keys that a later version adds are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=(), ser_json_inf_nan="constants")


class Epoch(Record):
    """One epoch. Times are those of the slowest rank, in seconds."""

    epoch: int
    """From 0."""
    timed: bool
    """False for the untimed first epochs, which enter no mean."""
    train_loss: float
    """Mean over the epoch's training images."""
    test_loss: float
    test_accuracy: float
    """Fraction of the test images that are classified right."""
    time_s: float
    """Training alone, between two barriers."""
    evaluation_s: float
    images: int
    """Training images of all devices."""
    steps: int
    foreign_load: float | None = None
    """Share of the machine's CPU time that other processes took during the epoch (None: not measured)."""
    parts: int = 1
    """In how many pieces the epoch was trained; more than one after an interruption."""


class DevicePhases(Record):
    """Where one device's time went: seconds summed over all timed epochs; None where it was not measured."""

    device: int
    steps: int
    time_s: float
    """Step time summed over the timed epochs."""
    data: float | None = None
    host_to_device: float | None = None
    forward: float | None = None
    backward: float | None = None
    communication: float | None = None
    waiting: float | None = None
    optimizer: float | None = None
    other: float | None = None


class CommunicationCost(Record):
    """Gradients of one batch with and without communication, in turn, on scratch copies of the model after training.

    Only the exchange between devices is left out; the devices compute the same, and the optimizer is in neither.
    """

    without: str = ""
    """What stood in for the exchange, such as ``a hook that exchanges nothing``."""
    with_s: list[float] = []
    """Seconds of a step of each turn: the slowest rank's from a barrier on."""
    without_s: list[float] = []
    """Likewise without communication; the two of one place were measured right after each other."""
    reason: str = ""
    """Why it was not measured; empty where it was."""


class Startup(Record):
    """Seconds before the first step, apart from training."""

    launch_s: float
    """Process start to torch imported."""
    data_s: float
    build_s: float
    """Model, strategy, optimizer and process group."""
    warm_up_s: float
    """Passes that leave nothing behind: one to compile, where that is asked for; two of DDP where messages carry
    gradients, whose sums depend on the buckets that it settles on."""


class Part(Record):
    """One start of a run. A run that was interrupted has several; its time is the sum of theirs."""

    started: str
    """UTC, ISO 8601."""
    time_s: float
    """Wall-clock seconds from process start to the last checkpoint, or to the end of the run."""
    host: str = ""
    """Of rank 0."""
    slurm: dict[str, str] = {}
    """SLURM's job variables, where there are any: job, array task, nodes."""
    image_digest: str | None = None
    """Of the image around it; empty: none. None in records of earlier versions."""


class LayerRow(Record):
    """One row of the model's layer table."""

    name: str
    kind: str
    output_shape: list[int]
    """Without the batch dimension."""
    parameters: int


class Result(Record):
    """What came of one run, whole."""

    schema_version: Literal[1] = 1
    run_id: str
    run_digest: str
    outcome: Literal["completed", "failed"]
    error: str | None = None
    """One line, when it failed."""
    implementation: str = ""
    """What really ran, such as ``torch.nn.parallel.DistributedDataParallel (gloo)``."""
    notes: list[str] = []
    """Settings that the strategy had to change, such as an optimizer that is not fused."""
    epochs: list[Epoch] = []
    phases: list[DevicePhases] = []
    phases_reason: str = ""
    """Why phases, or exposed communication among them, were not measured; empty where they were."""
    communication_cost: CommunicationCost | None = None
    """None for one device, and in records of earlier versions."""
    startup: Startup | None = None
    total_s: float = 0.0
    """Wall-clock seconds from process start to the end of the last epoch, everything included. Of a run that was
    interrupted, the sum of its parts, each up to its last checkpoint."""
    images_per_s: float | None = None
    """Training images per second over the timed epochs."""
    peak_memory_bytes: int | None = None
    """Largest resident set (CPU) or allocated memory (GPU) of one rank."""
    parameters: int = 0
    gradient_bytes: int = 0
    layers: list[LayerRow] = []
    weights_sha256: str | None = None
    """Digest of the final parameters and buffers: equal digests are bit-identical weights."""
    resumed: int = 0
    """How many times the run was taken up again after an interruption."""
    parts: list[Part] = []
    """Every start that led to the result, in order."""
    provenance: Provenance | None = None
    """Of the last start."""

    @property
    def images(self) -> set[str]:
        """Digests of the images that its parts ran in; empty text: none."""
        parts = {part.image_digest for part in self.parts if part.image_digest is not None}
        return parts | {self.provenance.image_digest if self.provenance else ""}
