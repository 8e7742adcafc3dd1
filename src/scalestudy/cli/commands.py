"""What each command does, on the way from its arguments to the layer that does the work."""

import os
import signal
import sys
import time
from argparse import Namespace
from pathlib import Path
from typing import NoReturn

from scalestudy.errors import StudyError
from scalestudy.records.files import read_model, write_model, write_text
from scalestudy.records.image import STARTED
from scalestudy.records.paths import RunPaths, StudyPaths, results_of
from scalestudy.records.report import ReportData
from scalestudy.spec.run import Run, Study

EXIT_SLOWER = 1
EXIT_MISSING = 3
EXIT_UNJUDGED = 4


def check(arguments: Namespace) -> int:
    """Read the configuration and plan the study, and write nothing."""
    from scalestudy.cli.planning import plan_study, tell_what_is_planned

    study = plan_study(arguments.config, arguments.study)
    tell_what_is_planned(study, sys.stdout)
    print(f"{arguments.config}: study {study.name}, {len(study.runs)} runs")
    return 0


def plan(arguments: Namespace) -> int:
    """Write the study and its runs."""
    from scalestudy.cli.planning import plan_study, tell_what_is_planned

    study = plan_study(arguments.config, arguments.study, arguments.cluster)
    paths = StudyPaths(arguments.results / study.name)
    for run in study.runs:
        write_model(paths.run(run.id).run, run)
    write_model(paths.study, study)
    tell_what_is_planned(study, sys.stdout)
    print(f"{study.name}: {len(study.runs)} runs planned")
    return 0


def image(arguments: Namespace) -> int:
    """Build or take the image that the study runs in, and record it. SIGTERM and SIGHUP remove what was begun."""
    for asked in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(asked) is not signal.SIG_IGN:  # nohup
            signal.signal(asked, lambda number, _: sys.exit(128 + number))
    from scalestudy.container.prepare import prepare
    from scalestudy.spec.reading import load_config

    found = prepare(load_config(arguments.config))
    write_model(arguments.record, found)
    if found.engine != "none":
        print(f"image {found.digest[:19]}, {found.size_bytes / 1e9:.1f} GB, for {found.engine} {found.engine_version}")
    return 0


def inside(arguments: Namespace) -> int:
    """Run a command in the image of a study."""
    from scalestudy.container.inside import run_inside

    return run_inside(arguments.image, arguments.command_inside, arguments.online, arguments.see)


def data(arguments: Namespace) -> int:
    """Prepare the data set that a workload of the configuration names."""
    from scalestudy.spec.data_key import prepared_key
    from scalestudy.spec.reading import load_config

    config = load_config(arguments.config)
    by_key = {prepared_key(workload.data): workload.data for workload in config.workloads.values()}
    if arguments.key not in by_key:
        raise StudyError(f"{arguments.config}: no workload uses data set {arguments.key}; known: {', '.join(by_key)}")
    from scalestudy.train.data.stage import prepare

    folder = prepare(by_key[arguments.key], Path(config.data.folder), config.data.download)
    print(f"data set {arguments.key}: {folder}")
    return 0


def train(arguments: Namespace) -> int:
    """Train one run. Ends without the interpreter's tear-down, which takes torch 0.8 s."""
    started = min(time.time() - _age_s(), float(os.environ.get(STARTED, "inf")))
    paths = RunPaths(arguments.run.parent)
    run = _planned(paths) or read_model(arguments.run, Run)
    from scalestudy.cli.training import check_code, completed, train_run

    check_code([run])

    again = arguments.again or arguments.record_failure  # the workflow knows what it wants
    if not again and (result := completed(run, paths)):
        print(f"{paths.result}: this run completed already, in {result.total_s:.1f} s; --again trains it anew")
        return 0
    return _end(train_run(run, paths, started, arguments.record_failure))


def _planned(paths: RunPaths) -> Run | None:
    """A run whose run.json was deleted, as its study has it; the file is written anew."""
    if paths.run.exists() or (study := paths.study) is None or not study.study.exists():
        return None
    planned = {study.run(run.id).folder.resolve(): run for run in read_model(study.study, Study).runs}
    run = planned.get(paths.folder.resolve())
    if run is not None:
        write_model(paths.run, run)
    return run


def _age_s() -> float:
    """How long ago this process was started, so that a run's start-up time holds all of it."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        uptime = float(Path("/proc/uptime").read_text().split()[0])
        return max(0.0, uptime - float(fields[19]) / os.sysconf("SC_CLK_TCK"))
    except (OSError, ValueError, IndexError):
        return 0.0


def parity(arguments: Namespace) -> int:
    """Check the strategies of a planned study; a strategy that is wrong is a result, not an error."""
    study = read_model(arguments.study, Study)
    from scalestudy.cli.training import check_code

    check_code(study.runs)
    print("parity: every strategy against serial training, step by step in float64", flush=True)  # it takes a while
    from scalestudy.train.parity_check import check_study

    outcome = check_study(study)
    write_model(StudyPaths(arguments.study.parent).parity, outcome)
    passed = sum(row.passed for row in outcome.rows)
    print(f"parity: {passed} of {len(outcome.rows)} checks passed")
    for row in outcome.rows:
        if not row.passed:
            why = row.error or f"gradients differ by {row.gradient_error:.1e}, parameters by {row.parameter_error:.1e}"
            print(f"  {row.workload} {row.strategy} on {row.devices} devices, {row.shares} shares: {why}")
    return 0


def probe(arguments: Namespace) -> int:
    """Measure what the machine allows on one layout. Ends without the interpreter's tear-down, as training does."""
    started = time.time() - _age_s()
    from scalestudy.spec.probing import probings

    planned = probings(read_model(arguments.study, Study))
    if arguments.layout not in planned:
        known = ", ".join(planned)
        raise StudyError(f"{arguments.study}: layout: found {arguments.layout}; the study has {known}")
    from scalestudy.cli.probe import probe as probe_and_record
    from scalestudy.cli.training import check_code

    probing = planned[arguments.layout]
    check_code(training.run for training in probing.trainings)
    path = StudyPaths(arguments.study.parent).probe(arguments.layout)
    print(f"probe of {arguments.layout}: what the machine allows", flush=True)
    code = probe_and_record(probing, path, started, arguments.record_failure)
    print(f"probe of {arguments.layout}: {path}")
    return _end(code)


def _end(code: int) -> NoReturn:
    """End the process at once: torch's tear-down takes 0.8 s."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def repeats(arguments: Namespace) -> int:
    """Write the ids of the runs that adaptive repeats want as things stand."""
    from scalestudy.analysis.collect import collect

    collection = collect(arguments.study.parent)
    wanted = [run.run.id for run in collection.runs]
    open_runs = sum(run.row.outcome == "missing" for run in collection.runs)
    write_text(arguments.wanted, "".join(f"{run}\n" for run in wanted))
    print(f"{collection.study.name}: {len(wanted)} runs wanted, {open_runs} of them still to be trained")
    return 0


def analyze(arguments: Namespace) -> int:
    """Make the tables and report.json of a study, named by its study.json or its folder."""
    from scalestudy.analysis.analyze import analyze as work

    given = StudyPaths(arguments.study)
    paths = given if given.study.is_file() else StudyPaths(arguments.study.parent)
    work(paths.results)
    print(f"{paths.report}: written, with the tables in {paths.tables}")
    return 0


def report(arguments: Namespace) -> int:
    """Typeset the report."""
    from scalestudy.report.build import PDF, build_report

    if arguments.pdf.name != PDF:
        raise StudyError(f"{arguments.pdf}: found {arguments.pdf.name}; must end in {PDF}, in a folder of your choice")
    written = build_report(arguments.report.parent, arguments.pdf.parent)
    print(f"{written}: written, with its figures beside it")
    return 0


def figure(arguments: Namespace) -> int:
    """Draw one figure again."""
    from scalestudy.report.build import write_figure

    write_figure(arguments.name, arguments.report, arguments.output)
    print(f"{arguments.output}: written")
    return 0


def show(arguments: Namespace) -> int:
    """Print tables, or only what a run of the workflow ends with."""
    from scalestudy.cli.planning import named_study
    from scalestudy.report.show import analyzed, headline_text
    from scalestudy.report.show import show as print_tables

    study = arguments.study or named_study(arguments.config)
    results = results_of(study)
    if arguments.headline:
        data = analyzed(results)
        print(headline_text(data, Path("reports") / results.name / "report.pdf"))
        return 1 if data.counts.failed and not data.counts.completed else 0
    print_tables(results)
    return 0


def doctor(arguments: Namespace) -> int:
    """Check this place."""
    from scalestudy.cli.doctor import doctor as examine

    return examine(arguments)


def compare(arguments: Namespace) -> int:
    """Compare two analyzed studies.

    Exit code 0: every cell of the first was judged and none is slower; 1: some are; 3: none is, but some are missing;
    4: neither, but of some, or of all, nothing can be said.
    """
    from scalestudy.analysis.compare import compare_studies
    from scalestudy.report.compare import print_comparison, report_path

    paths = [report_path(name) for name in (arguments.first, arguments.second)]
    found = compare_studies(*(read_model(path, ReportData) for path in paths))
    print_comparison(found, [arguments.first, arguments.second])
    if found.slower:
        return EXIT_SLOWER
    if found.missing:
        return EXIT_MISSING
    return EXIT_UNJUDGED if found.unjudged or not found.cells else 0


def predict(arguments: Namespace) -> int:
    """Print what the model of one step says of more devices than were measured, and how far it was off where checked.

    Raises StudyError when no strategy of the study has the data for it.
    """
    from scalestudy.analysis.ask import ask
    from scalestudy.cli.planning import named_study
    from scalestudy.report.predict import print_answers

    results = results_of(arguments.study or named_study(arguments.config))
    answers, refused = ask(results, arguments.devices, arguments.link_gbps, arguments.latency_us)
    print_answers(answers, refused)
    return 0


def retry(arguments: Namespace) -> int:
    """Forget what failed."""
    from scalestudy.cli.planning import named_study
    from scalestudy.cli.retry import forget_failures

    return forget_failures(arguments.study or named_study(arguments.config))
