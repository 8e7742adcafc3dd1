"""The 2-D mesh of a run, nodes x devices in a node, and which part of it a process drives."""

from dataclasses import dataclass

from scalestudy.spec.run import Run


@dataclass(frozen=True)
class Mesh:
    """Devices are numbered node by node; a process drives a run of neighbors within one node."""

    nodes: int
    devices_per_node: int
    devices_per_process: int

    @classmethod
    def of(cls, run: Run) -> "Mesh":
        """The mesh of a run, as its strategy divides it among processes."""
        return cls(run.cell.nodes, run.cell.devices_per_node, run.cell.devices // run.processes)

    @property
    def devices(self) -> int:
        """All devices."""
        return self.nodes * self.devices_per_node

    @property
    def processes(self) -> int:
        """All ranks."""
        return self.devices // self.devices_per_process

    @property
    def processes_per_node(self) -> int:
        """Ranks of one node."""
        return self.devices_per_node // self.devices_per_process

    def node_of(self, rank: int) -> int:
        """The node of a rank."""
        return rank // self.processes_per_node

    def devices_of(self, rank: int) -> range:
        """The numbers of the devices that a rank drives, counted over the whole mesh."""
        first = rank * self.devices_per_process
        return range(first, first + self.devices_per_process)

    def share(self, samples: int, device: int) -> tuple[int, int]:
        """The part of a batch of so many samples that a device computes, as positions ``[start, stop)``.

        Parts differ by one sample at most, the first devices have the larger ones, every sample is in exactly one; a
        batch smaller than the mesh leaves the last devices with an empty part.
        """
        base, extra = divmod(samples, self.devices)
        start = device * base + min(device, extra)
        return start, start + base + (device < extra)
