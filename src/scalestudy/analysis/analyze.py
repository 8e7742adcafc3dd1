"""From the records of a study to its tables and report.json."""

import hashlib
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from scalestudy import __version__
from scalestudy.analysis.accuracy import accuracy_rows, equivalence_rows
from scalestudy.analysis.ceilings import with_ceilings
from scalestudy.analysis.cells import CellRuns, cells_of
from scalestudy.analysis.collect import Collection, collect
from scalestudy.analysis.communication import communication_rows
from scalestudy.analysis.comparisons import comparison_rows
from scalestudy.analysis.compliance import compliance_rows
from scalestudy.analysis.curves import curve_rows
from scalestudy.analysis.efficiency import efficiency_rows
from scalestudy.analysis.environment import (
    commit_of,
    device_name,
    environment_problems,
    environment_rows,
    image_of,
    last_day,
)
from scalestudy.analysis.evidence import Evidence
from scalestudy.analysis.exclusions import exclusion_rows
from scalestudy.analysis.fits import fit_curves, fit_rows, law_validation_rows
from scalestudy.analysis.garbage import uncollected
from scalestudy.analysis.headlines import headlines
from scalestudy.analysis.language import ENGLISH, LANGUAGES, in_language
from scalestudy.analysis.load import LOAD_LIMIT, is_loaded
from scalestudy.analysis.methods import methods_used
from scalestudy.analysis.mitigations import mitigation_rows
from scalestudy.analysis.phases import phase_rows
from scalestudy.analysis.predictions import models, prediction_curves, step_validation_rows
from scalestudy.analysis.probes import probe_facts, probe_problems
from scalestudy.analysis.repeats import repeat_rows
from scalestudy.analysis.rules_time import EFFICIENCY_TARGET
from scalestudy.analysis.sentences import rule_table, sentences
from scalestudy.analysis.speedup import speedup_rows
from scalestudy.analysis.statistics import SMALLEST_N
from scalestudy.analysis.tables import runs_csv, write_tables
from scalestudy.analysis.targets import batch_rows, target_rows
from scalestudy.analysis.work import work_rows
from scalestudy.analysis.workloads import strategy_rows, workload_facts
from scalestudy.records.files import write_model
from scalestudy.records.paths import StudyPaths
from scalestudy.records.report import Counts, ReportData, RunRow, Thresholds, WorkloadFacts

OWN = "config.yaml"
"""The configuration that comes with the source."""


def analyze(results: Path) -> ReportData:
    """Analyze ``results/STUDY``: write ``tables/*.csv`` and ``report.json`` there and return the latter.

    Raises StudyError when study.json is missing or damaged, or a file cannot be written. Every other damage is a line
    in ``problems``.
    """
    with uncollected():
        data, runs, workloads = _computed(collect(results))
        paths = StudyPaths(results)
        write_tables(paths, data, runs, workloads)
        write_model(paths.report, data)
    return data


def report_data(collection: Collection) -> ReportData:
    """Everything that the report prints, computed from the collected runs."""
    return _computed(collection)[0]


def _computed(collection: Collection) -> tuple[ReportData, str, list[WorkloadFacts]]:
    """The same; runs.csv, whose digest is in it; and the workloads in English, as tables have them."""
    cells = cells_of(collection)
    evidence = _evidence(collection, cells)
    language = evidence.language
    workloads = workload_facts(cells, ENGLISH)
    runs = runs_csv(evidence.runs, workloads)
    data = ReportData(
        study=collection.study.name,
        configuration="" if collection.study.configuration == OWN else shlex.quote(collection.study.configuration),
        words=collection.study.report,
        date=last_day(collection.runs),
        commit=commit_of(collection.runs),
        data_sha256=hashlib.sha256(runs.encode()).hexdigest(),
        device_name=language.say(evidence.device_name),
        device_plural=language.say(f"{evidence.device_name}s"),
        version=__version__,
        image=image_of(collection.runs),
        thresholds=Thresholds(efficiency=EFFICIENCY_TARGET, foreign_load=LOAD_LIMIT, runs=SMALLEST_N),
        accuracy_margin=evidence.accuracy_margin,
        counts=evidence.counts,
        strategies=list(evidence.strategies),
        workloads=list(evidence.workloads),
        speedup=list(evidence.speedup),
        accuracy=list(evidence.accuracy),
        phases=list(evidence.phases),
        communication=list(evidence.communication),
        efficiencies=list(evidence.efficiencies),
        probe=evidence.probe,
        curves=curve_rows(cells),
        parity=list(evidence.parity),
        runs=list(evidence.runs),
        environment=list(evidence.environment),
        headlines=headlines(evidence),
        sentences=[],
        rules=rule_table(language),
        comparisons=comparison_rows(cells),
        mitigations=list(evidence.mitigations),
        equivalence=equivalence_rows(cells, evidence.accuracy_margin),
        targets=list(evidence.targets),
        fits=in_language(fit_rows(evidence.speedup), language, "refused"),
        fit_curves=fit_curves(evidence.speedup),
        predictions=list(evidence.predictions),
        validation=list(evidence.validation),
        refusals=in_language(evidence.refusals, language, "reason"),
        epochs_to_target=batch_rows(cells, collection.study),
        exclusions=in_language(exclusion_rows(cells), language, "excluded_from", "reason"),
        repeats=list(evidence.repeats),
        work=work_rows(cells),
        problems=[
            *collection.problems,
            *probe_problems(collection.probes),
            *environment_problems(evidence.environment, language),
        ],
    )
    compliance = compliance_rows(data, cells)
    written = sentences(replace(evidence, compliance=compliance))
    methods = in_language(methods_used(data), language, "quantity", "method")
    return data.model_copy(update={"compliance": compliance, "sentences": written, "methods": methods}), runs, workloads


def _evidence(collection: Collection, cells: Sequence[CellRuns]) -> Evidence:
    margin = collection.study.accuracy_margin
    rows = [run.row for run in collection.runs]
    language = LANGUAGES[collection.study.report.language]
    probe = probe_facts(collection.probes)
    speedup = in_language(with_ceilings(speedup_rows(cells), cells, probe.ceilings), language, "note")
    found, refused = models(cells, probe.links)
    checked = step_validation_rows(cells, probe.links, speedup)
    curves, unchecked = prediction_curves(found, checked)
    communication = communication_rows(cells)
    return Evidence(
        language=language,
        counts=_counts(rows, len(collection.study.skipped)),
        speedup=speedup,
        probe=probe,
        accuracy=accuracy_rows(cells, margin),
        accuracy_margin=margin,
        phases=phase_rows(cells),
        parity=collection.parity,
        runs=rows,
        workloads=workload_facts(cells, language),
        environment=environment_rows(collection, language),
        device_name=device_name(collection.runs),
        cells=cells,
        communication=communication,
        efficiencies=efficiency_rows(cells, speedup),
        targets=target_rows(cells, collection.study),
        predictions=curves,
        validation=in_language([*law_validation_rows(speedup), *checked], language, "reason"),
        refusals=[*refused, *unchecked],
        repeats=repeat_rows(collection.study, rows),
        stopping=collection.study.repeats,
        strategies=strategy_rows(cells, language),
        mitigations=in_language(mitigation_rows(cells, communication), language, "note"),
    )


def _counts(rows: Sequence[RunRow], skipped: int) -> Counts:
    outcomes = [row.outcome for row in rows]
    return Counts(
        planned=len(rows),
        completed=outcomes.count("completed"),
        failed=outcomes.count("failed"),
        missing=outcomes.count("missing"),
        resumed=sum(row.resumed > 0 for row in rows),
        oversubscribed=sum(row.oversubscribed for row in rows),
        loaded=sum(is_loaded(row) for row in rows),
        skipped=skipped,
        total_s=sum(row.total_s or 0.0 for row in rows),
        excluded=sum(bool(row.excluded) for row in rows),
        flawed=sum(bool(row.flaw) for row in rows),
    )
