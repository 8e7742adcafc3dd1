"""Probe one layout, and write down a failure: a study goes on without its ceilings."""

import os
import traceback
from pathlib import Path

from scalestudy.cli.training import reason_of
from scalestudy.errors import StudyError, may_pass
from scalestudy.records.files import write_model
from scalestudy.records.probe import Probe
from scalestudy.spec.probing import Probing


def probe(probing: Probing, path: Path, started: float, record_failure: bool) -> int:
    """Measure what the machine allows on a layout; ``started`` is the Unix time of the start. Returns the exit code.

    Raises what may pass, which is no result, and StudyError for any failure that is not to be recorded.
    """
    from scalestudy.train.probe.layout import probe_layout
    from scalestudy.train.provenance import here, part_from
    from scalestudy.train.ranks import leads

    try:
        return probe_layout(probing, path, started)
    except Exception as error:
        if isinstance(error, OSError) or may_pass(error):
            raise
        if not isinstance(error, StudyError):
            traceback.print_exc()
        if not record_failure:
            raise StudyError(f"probe of {probing.layout}: {reason_of(error)}") from error
        run = probing.run
        failed = Probe(
            digest=probing.digest,
            nodes=probing.nodes,
            devices_per_node=probing.devices_per_node,
            device=run.device,
            cores_per_device=run.cores_per_device,
            provenance=here(part_from(started)),  # outside of this image, or in one, it may not fail
            error=reason_of(error),
        )
        if leads(os.environ):  # rank 0 knows what happened on the others
            write_model(path, failed)
        print(f"probe of {probing.layout} failed: {failed.error}")
        return 0
