"""Which nodes x devices per node a strategy runs on, on a given machine."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from scalestudy.spec.catalog import STRATEGIES
from scalestudy.spec.config import ClusterSpec, MachineSpec

Layout = tuple[int, int]
"""Nodes, devices per node."""


@dataclass(frozen=True)
class Machine:
    """What there is to run on."""

    device: Literal["cpu", "cuda"]
    devices: int
    """Devices that can work at once, over all nodes."""
    cores: int
    """CPU cores of the machine, or of each node of a cluster."""
    cluster: bool = False
    """Described by ``cluster`` in the configuration, not counted here."""

    @classmethod
    def of_cluster(cls, spec: ClusterSpec) -> "Machine":
        """A cluster, as it is described: its nodes cannot be seen from where a study is planned."""
        devices = spec.nodes * spec.devices_per_node
        return cls(spec.device, devices, spec.devices_per_node * spec.cores_per_device, cluster=True)


def devices_per_node(spec: MachineSpec, machine: Machine) -> int:
    """Devices of a node, as configured or shared out over the nodes; at least 1."""
    return max(1, machine.devices // spec.nodes) if spec.devices_per_node == "auto" else spec.devices_per_node


def _spread(nodes: int, devices: int) -> Layout:
    return nodes, devices


def _hybrid(nodes: int, devices: int) -> Layout:
    """On one node two nodes are simulated, since on one the strategy would be data_parallel."""
    return (nodes, devices) if nodes > 1 else (2, max(1, devices // 2))


def _hsdp(nodes: int, devices: int) -> Layout:
    """On one node two are simulated where both can still shard, so that both axes of the mesh are used."""
    return (2, devices // 2) if nodes == 1 and devices >= 4 and devices % 2 == 0 else (nodes, devices)


_AUTO: dict[str, Callable[[int, int], Layout]] = {
    "serial": lambda _nodes, _devices: (1, 1),
    "data_parallel": lambda _nodes, devices: (1, devices),
    "ddp": _spread,
    "hybrid": _hybrid,
    "hsdp": _hsdp,
}


def automatic(strategy: str, nodes: int, devices: int) -> Layout | None:
    """The layout that uses all devices of nodes x devices; None when the strategy needs two and there is one.

    Strategies that _AUTO does not know use their facts in the catalog.
    """
    layout = _AUTO.get(strategy, _spread)(nodes, devices)
    parallel = STRATEGIES[strategy].layout != "single"
    too_few = nodes * devices < 2 or layout[0] * layout[1] < 2
    return None if parallel and too_few else layout


def doubling(strategy: str, nodes: int, devices: int) -> list[Layout]:
    """The automatic layouts of 2, 4, 8, ... devices of one node, then of 2, 4, 8, ... whole nodes; all of them last."""
    in_a_node = [(1, count) for count in _doubled(devices)]
    whole_nodes = [(count, devices) for count in _doubled(nodes)]
    found = (automatic(strategy, *step) for step in [*in_a_node, *whole_nodes])
    return list(dict.fromkeys(layout for layout in found if layout))


def _doubled(most: int) -> list[int]:
    """2, 4, 8, ... as far as they are less than ``most``, then ``most``; nothing for 1."""
    powers = [2**power for power in range(1, most.bit_length()) if 2**power < most]
    return [*powers, most] if most > 1 else []


def _all_at_once(strategy: str, nodes: int, devices: int) -> list[Layout]:
    layout = automatic(strategy, nodes, devices)
    return [layout] if layout else []


BY_MACHINE: dict[str, Callable[[str, int, int], list[Layout]]] = {"auto": _all_at_once, "doubling": doubling}
"""Words that stand for layouts which depend on the machine: by strategy, nodes, devices per node."""


def parse(layout: str) -> Layout:
    """``2x4`` as numbers."""
    nodes, _, devices = layout.partition("x")
    return int(nodes), int(devices)


def unsuitable(strategy: str, layout: Layout) -> str | None:
    """What would be right for a layout that the strategy cannot have, or None."""
    nodes, devices = layout
    kind, processes = STRATEGIES[strategy].layout, STRATEGIES[strategy].processes
    if processes == "per_device" and nodes * devices == 1:
        return f"{strategy} runs on two devices or more, its layout must not be 1x1: one device alone is serial"
    if kind == "single" and nodes * devices > 1:
        return f"{strategy} runs on one device, its layout must be 1x1 or auto"
    if kind == "one_node" and nodes > 1:
        return f"{strategy} runs on one node, its layout must be 1x{devices} or auto"
    return None
