"""probe.csv and allreduce.csv: what the machine allows, from the probes of the layouts of a study."""

from collections.abc import Sequence
from pathlib import Path

from scalestudy.analysis.links import METHOD, Link, fit_links
from scalestudy.analysis.load import LOAD_LIMIT
from scalestudy.analysis.soundness import sound_probe
from scalestudy.analysis.statistics import ratio, summarize
from scalestudy.errors import StudyError
from scalestudy.records.files import is_there, read_model
from scalestudy.records.paths import StudyPaths
from scalestudy.records.probe import UNITS, Probe, Throughput
from scalestudy.records.report import AllReduceRow, CeilingRow, ProbeFacts
from scalestudy.spec.probing import Probing, probings
from scalestudy.spec.run import Study


def read_probes(paths: StudyPaths, study: Study, problems: list[str]) -> list[Probe]:
    """The probes of the layouts of a study that are there; a damaged or foreign one becomes a problem."""
    found = []
    for layout, planned in probings(study).items():
        path = paths.probe(layout)
        if not is_there(path):
            continue
        try:
            probe = read_model(path, Probe)
        except StudyError as error:
            problems.append(str(error))
            continue
        if flaw := _unusable(path, probe, planned):
            problems.append(flaw)
            continue
        probe, flaws = sound_probe(probe)
        problems += [f"{path}: {flaw}" for flaw in flaws]
        found.append(probe)
    return found


def _unusable(path: Path, probe: Probe, planned: Probing) -> str:
    """Why a probe tells nothing of its layout in this study, or nothing."""
    layout, device = f"{probe.nodes}x{probe.devices_per_node}", planned.run.device
    if layout != planned.layout:
        return f"{path}: is of {layout} and not of this layout"
    if probe.device != device:
        return f"{path}: is of device {probe.device}, and the study trains on {device}; it is not used"
    # A file without a digest does not say what was asked for.
    if probe.digest and probe.digest != planned.digest:
        return f"{path}: belongs to another specification than this study's; it is not used"
    if probe.oversubscribed and (probe.throughput or probe.all_reduce):
        return f"{path}: has times of more devices than there are cores, which tell nothing; it is not used"
    return ""


def probe_facts(probes: Sequence[Probe]) -> ProbeFacts:
    """All rows of the probes, in their order."""
    links = [link for probe in probes for link in fit_links(probe)]
    return ProbeFacts(
        ceilings=[_ceiling(probe, work) for probe in probes for work in probe.throughput],
        all_reduce=[row for probe in probes for row in _all_reduce(probe, links)],
        links=[link.row for link in links],
        method=METHOD if links else "",
        foreign_load=max((probe.foreign_load for probe in probes if probe.foreign_load is not None), default=None),
    )


def probe_problems(probes: Sequence[Probe]) -> list[str]:
    """One line for each probe that failed or during which other programs took a part of the machine."""
    failed = [
        f"probe/{probe.nodes}x{probe.devices_per_node}.json: failed: {probe.error}" for probe in probes if probe.error
    ]
    return failed + [
        f"probe/{probe.nodes}x{probe.devices_per_node}.json: other programs took {probe.foreign_load:.0%} of the "
        "machine, so that its ceilings may be too low"
        for probe in probes
        if probe.foreign_load is not None and probe.foreign_load > LOAD_LIMIT
    ]


def _ceiling(probe: Probe, work: Throughput) -> CeilingRow:
    """Repeats follow each other in the same processes: their intervals hold what varies within seconds."""
    alone_rates = [work.alone_amount / time_s for time_s in work.alone_s]
    together_rates = [len(times_s) * work.amount / max(times_s) for times_s in work.together_s]
    alone, together, speedup = summarize(alone_rates), summarize(together_rates), ratio(together_rates, alone_rates)
    return CeilingRow(
        nodes=probe.nodes,
        devices=probe.nodes * probe.devices_per_node,
        work=work.work,
        workload=work.workload,
        batch_size=work.batch_size,
        unit=UNITS[work.work],
        n=len(alone_rates),
        alone=alone.value,
        alone_low=alone.low,
        alone_high=alone.high,
        together=together.value,
        together_low=together.low,
        together_high=together.high,
        speedup=speedup.value,
        speedup_low=speedup.low,
        speedup_high=speedup.high,
        method=speedup.method,
    )


def _all_reduce(probe: Probe, links: Sequence[Link]) -> list[AllReduceRow]:
    devices = probe.nodes * probe.devices_per_node
    rows = []
    for sample in probe.all_reduce:
        time = summarize(sample.time_s)
        link = next((one for one in links if one.is_of(probe, sample.group)), None)
        rows.append(
            AllReduceRow(
                nodes=probe.nodes,
                devices=devices,
                group=sample.group,
                ranks=sample.ranks,
                backend=probe.backend,
                bytes=sample.bytes,
                n=len(sample.time_s),
                time_s=time.value,
                time_low_s=time.low,
                time_high_s=time.high,
                fitted_s=link.time_s(sample.bytes) if link else None,
                method=time.method,
            )
        )
    return rows
