"""The model of a strategy's step over the two networks that its devices may have: within a node and between nodes."""

from collections.abc import Sequence
from dataclasses import dataclass

from scalestudy.analysis.step_inputs import Model, Step
from scalestudy.analysis.step_model import Algorithm, Array

NO_NETWORK_BETWEEN_NODES = (
    "no link between nodes was probed on {devices} devices or fewer, and a latency and a bandwidth are not both given"
)
NO_NETWORK_WITHIN_A_NODE = (
    "no link within a node was probed on {devices} devices or fewer, and a latency and a bandwidth are not both given"
)


@dataclass(frozen=True)
class StrategyModel:
    """A step that is predicted within a node where a node had as many devices, and between nodes beyond."""

    step: Step
    within: Model | None
    """Over the network within a node; None: it is not known."""
    between: Model | None
    """Over the network between nodes."""

    def over(self, devices: int) -> Model | None:
        """The model over the network of so many devices; a single process exchanges nothing, so either serves."""
        if devices <= self.step.exchange.devices_per_rank:
            return self.within or self.between
        return self.within if devices <= self.step.devices_per_node else self.between

    def refusal(self, devices: int) -> str:
        """Why so many devices cannot be predicted, or nothing."""
        if reason := self.step.refusal(devices):
            return reason
        if self.over(devices):
            return ""
        inside = devices <= self.step.devices_per_node
        text = NO_NETWORK_WITHIN_A_NODE if inside else NO_NETWORK_BETWEEN_NODES
        return text.format(devices=self.step.fitted_devices)

    def predict(self, algorithm: Algorithm, devices: int) -> tuple[Array, Array]:
        """Efficiency and time of a step on so many devices, in each replicate [R]. Not where they are refused."""
        model = self.over(devices)
        if model is None:
            raise ValueError(self.refusal(devices))
        return model.predict(algorithm, devices)

    def source(self, devices: int) -> str:
        """Where the network of so many devices comes from."""
        model = self.over(devices)
        return model.network.source if model else ""

    def sources(self, devices: Sequence[int]) -> str:
        """Likewise of so many devices each, which may be of both networks."""
        found = list(dict.fromkeys(self.source(count) for count in sorted(devices) if count > 1))
        return "within a node {}; between nodes {}".format(*found) if len(found) > 1 else "".join(found)
