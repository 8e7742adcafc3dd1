"""What the shares of a run's batches must keep so that every device can train on its own."""

from torch import nn

from scalestudy.errors import StudyError
from scalestudy.spec.run import Run
from scalestudy.train.mesh import Mesh
from scalestudy.train.models.build import Shape
from scalestudy.train.models.traits import needs_two_images
from scalestudy.train.strategies.base import split

WAY_OUT = "change batch_size or data.train so that the batches of an epoch come out larger"


def check_shares(run: Run, mesh: Mesh, samples: int, model: nn.Module, shape: Shape) -> None:
    """Refuse, before the first step, shares on which the model cannot train. Every rank comes to the same end.

    Raises StudyError, naming the key, where a device would normalize over one image and the model cannot, or where
    batch norm over all devices would meet one without images, which has nothing to add to the statistics.
    """
    workload, batch = run.workload, run.global_batch
    for size in sorted({min(batch, samples), samples % batch} - {0}, reverse=True):
        found = f"found {workload.batch_size}, so that the last batch of an epoch has {size} of {samples} images"
        if workload.sync_batch_norm and mesh.devices > 1:
            if size < mesh.devices:
                right = f"with sync_batch_norm each of {mesh.devices} devices must have one"
                raise StudyError(f"{_key(run)}: {found}; {right}: {WAY_OUT}")
        elif 1 in _pieces(size, mesh, workload.accumulate) and needs_two_images(model, shape):
            right = f"the model's batch norm needs 2, and a device would get 1 of them at a time: {WAY_OUT}"
            raise StudyError(f"{_key(run)}: {found}; {right}")


def _key(run: Run) -> str:
    return f"workloads.{run.cell.workload}.batch_size"


def _pieces(size: int, mesh: Mesh, accumulate: int) -> set[int]:
    """The numbers of images that forward passes over a batch of so many have."""
    shares = (mesh.share(size, device) for device in range(mesh.devices))
    return {last - first for share in shares for first, last in split(*share, accumulate)}
