"""Where one process of a run stands."""

from dataclasses import dataclass, field
from functools import cached_property

import torch

from scalestudy.spec.run import Run
from scalestudy.train.mesh import Mesh


@dataclass
class Context:
    """One rank: its place in the mesh, its devices, and how it computes. Strategies read it, none changes it."""

    run: Run
    rank: int
    mesh: Mesh
    devices: list[torch.device]
    """The devices that this process drives, in mesh order."""
    cores: list[list[int]]
    """The cores of each of them; an empty list: not pinned."""
    dtype: torch.dtype = torch.float32
    communicates: bool = True
    """Whether devices exchange gradients. Without, each keeps its own: for measuring what communication costs."""
    available: int = 0
    """Cores that the process could use before it was pinned."""
    notes: list[str] = field(default_factory=list)
    """Settings that a strategy had to change; printed in the report."""

    @property
    def device(self) -> torch.device:
        """The first device of this process, where its loss and metrics are kept."""
        return self.devices[0]

    @property
    def device_numbers(self) -> range:
        """The numbers of this process's devices in the mesh."""
        return self.mesh.devices_of(self.rank)

    @cached_property
    def accumulate(self) -> int:
        """Backward passes per update."""
        return self.run.workload.accumulate

    @cached_property
    def autocast(self) -> bool:
        """Whether the forward pass runs in bfloat16 by automatic mixed precision."""
        return self.run.workload.precision == "bfloat16" and self.dtype == torch.float32
