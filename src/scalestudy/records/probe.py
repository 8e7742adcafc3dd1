"""probe/NxD.json: what the machine allows on a layout of nodes x devices, as raw samples."""

from typing import Literal

from scalestudy.records.provenance import Provenance
from scalestudy.records.result import Record

Work = Literal["training", "matmul", "memory", "host_to_device"]
Group = Literal["all", "nodes"]
UNITS: dict[Work, str] = {"training": "images", "matmul": "FLOP", "memory": "bytes", "host_to_device": "bytes"}
"""What is counted of each kind of work."""


class Throughput(Record):
    """One kind of work, done by one device alone and by all devices of the layout at once, in turn."""

    work: Work
    """``training``: serial steps of a workload, independent of each other. ``matmul``: products of square float32
    matrices. ``memory``: a copy within memory larger than the caches, read and written bytes counted.
    ``host_to_device``: copies from pinned memory."""
    workload: str = ""
    """Of training."""
    batch_size: int = 0
    """Of training: images of a step of each device when all work."""
    alone_batch_size: int = 0
    """Of training: images of a step of the device that works alone, the base's."""
    amount: float
    """What each device does in one repeat when all work, in ``UNITS``."""
    alone_amount: float
    """What the device that works alone does in one repeat."""
    alone_s: list[float]
    """Seconds of each repeat of the device that works alone; the others wait without computing."""
    together_s: list[list[float]]
    """Seconds of each repeat and device, ``[repeats][devices]``; a repeat begins at a barrier."""


class AllReduce(Record):
    """Sums of float32 messages over ranks, one process per device, without any computation beside."""

    group: Group
    """``all``: all ranks of the layout. ``nodes``: the first rank of each node."""
    ranks: int
    bytes: int
    """Of the message."""
    time_s: list[float]
    """Seconds of one sum, each the slowest rank's from a barrier on."""


class Probe(Record):
    """Everything that was probed on one layout."""

    schema_version: Literal[1] = 1
    digest: str = ""
    """Of all that was asked for (``Probing.digest``)."""
    nodes: int
    devices_per_node: int
    device: Literal["cpu", "cuda"]
    cores_per_device: int
    oversubscribed: bool = False
    """More devices than the machine has: then nothing is timed."""
    backend: str = ""
    """What carried the messages; empty for one device."""
    throughput: list[Throughput] = []
    all_reduce: list[AllReduce] = []
    foreign_load: float | None = None
    """Largest share of any node's CPU time that other programs took meanwhile (None: not measured)."""
    time_s: float = 0.0
    """Wall-clock seconds that the probe took, start-up included."""
    provenance: Provenance | None = None
    error: str = ""
    """Why nothing was probed: what training a workload of the study raised."""
