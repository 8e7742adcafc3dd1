"""Latency and bandwidth between devices, as the probe's all-reduce times have them or as they are given."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from scalestudy.records.report import LinkRow

GAP = 1.96
"""Standard deviations from the middle of a 95 % interval of a normal distribution to its end."""


@dataclass(frozen=True)
class Network:
    """Latency of a message and time of a byte on one link, with their standard deviations, and where they come from."""

    hop_s: float
    hop_sd: float
    byte_s: float
    byte_sd: float
    source: str

    def with_link(self, gbps: float | None, latency_us: float | None) -> "Network":
        """The same with a given bandwidth in Gbit/s or latency in microseconds."""
        network = self
        if gbps is not None:
            network = replace(network, byte_s=8 / (gbps * 1e9), byte_sd=0.0, source=f"{gbps:g} Gbit/s as given")
        if latency_us is not None:
            given = f"{latency_us:g} us as given"
            network = replace(network, hop_s=latency_us * 1e-6, hop_sd=0.0, source=f"{given}; {network.source}")
        elif gbps is not None:
            network = replace(network, source=f"{network.source}, latency {self.hop_s * 1e6:.3g} us: {self.source}")
        return network


def network_of(
    links: Sequence[LinkRow],
    largest: int,
    *,
    between_nodes: bool,
    gbps: float | None = None,
    latency_us: float | None = None,
) -> Network | None:
    """The network between nodes or that within one, from the all-reduce over the most ranks that cells of up to so many
    devices have: one tells nothing of the other. None where it was not probed, and latency and bandwidth are not both
    given.

    The fitted ``alpha + beta bytes`` of a ring of n ranks is ``2 (n - 1)`` messages of ``1 / n`` of the bytes each.
    """
    usable = [link for link in links if 2 <= link.ranks <= largest and (link.nodes > 1) == between_nodes]
    if not usable:
        if gbps is None or latency_us is None:
            return None
        return Network(0.0, 0.0, 0.0, 0.0, "").with_link(gbps, latency_us)
    link = max(usable, key=lambda one: (one.group == "nodes", one.ranks))
    hops, share = 2 * (link.ranks - 1), 2 * (link.ranks - 1) / link.ranks
    network = Network(
        hop_s=link.alpha_s / hops,
        hop_sd=_sd(link.alpha_low_s, link.alpha_high_s) / hops,
        byte_s=link.beta_s_per_byte / share,
        byte_sd=_sd(link.beta_low_s_per_byte, link.beta_high_s_per_byte) / share,
        source="",
    )
    rate = f"{8e-9 / network.byte_s:.3g} Gbit/s" if network.byte_s else "no time per byte"
    layout = f"{link.nodes}x{link.devices // max(1, link.nodes)}"
    source = f"probe of {link.ranks} ranks on {layout}: {network.hop_s * 1e6:.3g} us, {rate}"
    return replace(network, source=source).with_link(gbps, latency_us)


def _sd(low: float | None, high: float | None) -> float:
    return 0.0 if low is None or high is None else (high - low) / (2 * GAP)
