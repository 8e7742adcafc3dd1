"""Impossible numbers in records: whatever stands where a number should, the analysis names it and goes on without."""

import json
import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_study import make_study

from scalestudy.analysis.analyze import report_data
from scalestudy.analysis.collect import collect
from scalestudy.records.files import write_model
from scalestudy.records.probe import AllReduce, Probe, Throughput

RUN = "mnist/epoch/ddp-1x2/seed1"
SETTINGS = {"workloads": 1, "strategies": {"ddp": ("1x2",)}, "costs_s": {"ddp": 0.01}, "epochs": 3}
ODD = [math.nan, math.inf, -math.inf, -1, 0, 1e308, -1e308, 1e-320, 10**400, 0.5]


def probe():
    return Probe(
        nodes=1,
        devices_per_node=2,
        device="cpu",
        cores_per_device=1,
        backend="gloo",
        foreign_load=0.01,
        throughput=[
            Throughput(
                work="training", workload="mnist", batch_size=64, alone_batch_size=64, amount=640, alone_amount=640,
                alone_s=[1.0, 1.01, 0.99], together_s=[[1.1, 1.0], [1.12, 1.0], [1.11, 1.0]],
            )
        ],
        all_reduce=[
            AllReduce(group="all", ranks=2, bytes=size, time_s=[1e-4 + 1e-9 * size] * 3) for size in (4, 4096, 2**20)
        ],
    )  # fmt: skip


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    made = make_study(tmp_path_factory.mktemp("study"), **SETTINGS)
    write_model(made.probe("1x2"), probe())
    return made


def numbers_in(document, path=()):
    """The paths of all numbers of a record."""
    if isinstance(document, dict | list):
        for key, value in document.items() if isinstance(document, dict) else enumerate(document):
            yield from numbers_in(value, (*path, key))
    elif isinstance(document, int | float) and not isinstance(document, bool):
        yield path


def kinds_of_numbers(document):
    """One path of each kind: of the elements of a list the last one stands for all."""
    return list(
        {tuple("*" if isinstance(key, int) else key for key in path): path for path in numbers_in(document)}.values()
    )


def changed(document, path, value):
    copy = json.loads(json.dumps(document))
    place = copy
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return copy


def report_with(paths, file, document):
    """The report of the study with another content of a file, and what it says of the run."""
    whole = file.read_text()
    try:
        file.write_text(json.dumps(document))
        data = report_data(collect(paths.results))
    finally:
        file.write_text(whole)
    json.loads(data.model_dump_json())
    odd = [path for path, value in floats_in(data.model_dump()) if not math.isfinite(value)]
    assert odd == []
    return data, next(row for row in data.runs if row.run == RUN)


def floats_in(document, path=()):
    if isinstance(document, dict | list):
        for key, value in document.items() if isinstance(document, dict) else enumerate(document):
            yield from floats_in(value, (*path, key))
    elif isinstance(document, float):
        yield path, document


@given(st.data())
@settings(max_examples=150)
def test_any_odd_number_in_a_result_leaves_finite_tables(paths, data):
    file = paths.run(RUN).result
    document = json.loads(file.read_text())
    path = data.draw(st.sampled_from(kinds_of_numbers(document)))
    report_with(paths, file, changed(document, path, data.draw(st.sampled_from(ODD))))


@given(st.data())
@settings(max_examples=100)
def test_any_odd_number_in_a_probe_leaves_finite_tables(paths, data):
    file = paths.probe("1x2")
    document = json.loads(file.read_text())
    path = data.draw(st.sampled_from(kinds_of_numbers(document)))
    report_with(paths, file, changed(document, path, data.draw(st.sampled_from(ODD))))


IMPOSSIBLE = {
    "phases": (("phases", 0, "forward"), math.inf, "phases[0].forward: found inf"),
    "negative waiting": (("phases", 1, "waiting"), -3.0, "phases[1].waiting: found -3.0"),
    "negative data": (("phases", 1, "data"), -3.0, "phases[1].data: found -3.0"),
    "no number": (("phases", 1, "data"), math.nan, "phases[1].data: found nan"),
    "steps": (("phases", 0, "time_s"), 1e308, "phases[0].time_s: found 1e+308"),
    "cost": (("communication_cost", "with_s", 0), -1.0, "communication_cost.with_s: found -1.0"),
    "load": (("epochs", 1, "foreign_load"), math.nan, "epochs[1].foreign_load: found nan"),
    "total": (("total_s",), math.inf, "total_s: found inf"),
    "start-up": (("startup", "build_s"), -1.0, "startup.build_s: found -1.0"),
    "memory": (("peak_memory_bytes",), -5, "peak_memory_bytes: found -5"),
    "gradients": (("gradient_bytes",), 10**400, "gradient_bytes: found a number of more than 18 digits"),
    "turns": (("communication_cost", "with_s"), [0.1, 0.1], "communication_cost.with_s/without_s: found (2"),
}


@pytest.mark.parametrize(("path", "value", "problem"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_the_field_is_named_its_run_marked_and_the_epochs_stay(paths, path, value, problem):
    file = paths.run(RUN).result
    document = json.loads(file.read_text())
    data, row = report_with(paths, file, changed(document, path, value))
    assert (row.outcome, row.flaw) == ("completed", "impossible numbers")
    assert row.epoch_time_s is not None
    assert data.problems == [f"runs/{RUN}/result.json: {problem}{data.problems[0].partition(problem)[2]}"]
    assert data.problems[0].endswith(", which cannot be; this part is not used")


@pytest.mark.parametrize(
    ("path", "value"), [(("epochs", 1, "time_s"), 1e308), (("epochs", 1, "evaluation_s"), math.nan)]
)
def test_an_epoch_with_an_impossible_time_voids_the_result(paths, path, value):
    file = paths.run(RUN).result
    _, row = report_with(paths, file, changed(json.loads(file.read_text()), path, value))
    assert (row.outcome, row.reason[:8]) == ("missing", "holds an")


def test_a_run_with_an_impossible_number_of_resumptions_has_no_end_to_end_time(paths):
    file = paths.run(RUN).result
    data, row = report_with(paths, file, changed(json.loads(file.read_text()), ("resumed",), -1))
    assert (row.resumed, row.total_s, row.flaw) == (0, None, "impossible numbers")
    assert data.problems[0].startswith(f"runs/{RUN}/result.json: resumed: found -1")


def test_the_size_of_the_gradients_is_that_of_the_runs_that_have_one(paths):
    run = RUN.replace("seed1", "seed0")
    file = paths.run(run).result
    whole = json.loads(file.read_text())
    data, _ = report_with(paths, file, changed(whole, ("gradient_bytes",), -1))
    assert [row.gradient_bytes for row in data.communication] == [whole["gradient_bytes"]]


def test_the_facts_of_a_workload_are_those_of_a_run_that_has_them(paths):
    run = "mnist/epoch/serial-1x1/seed0"
    file = paths.run(run).result
    whole = json.loads(file.read_text())
    data, _ = report_with(paths, file, changed(whole, ("gradient_bytes",), -1))
    assert data.workloads[0].gradient_bytes == whole["gradient_bytes"]
    assert len(data.workloads[0].layers) == len(whole["layers"])


CONTRADICTING_EPOCHS = {
    "images": (("epochs", 1, "images"), 1, "epochs[1].images: found 1, not 6000"),
    "steps": (("epochs", 2, "steps"), 1, "epochs[2].steps: found 1, not 47"),
    "timed": (("epochs", 0, "timed"), True, "epochs[0].timed: found True, not False"),
}


@pytest.mark.parametrize(("path", "value", "problem"), CONTRADICTING_EPOCHS.values(), ids=CONTRADICTING_EPOCHS)
def test_epochs_that_are_not_of_the_run_void_the_result(paths, path, value, problem):
    file = paths.run(RUN).result
    data, row = report_with(paths, file, changed(json.loads(file.read_text()), path, value))
    said = f"holds an epoch that is not of this run: {problem}"
    assert (row.outcome, row.reason, row.epoch_time_s) == ("missing", said, None)
    assert data.problems == [f"runs/{RUN}/result.json: {said}"]


CONTRADICTING_PHASES = {
    "steps": (("phases", 0, "steps"), 1, "phases[0].steps: found 1, the timed epochs have 94"),
    "twice": (("phases", 1, "device"), 0, "phases: found devices 0, 0, not each of 2 once"),
    "lost": (("phases",), [], "phases: found devices 0, not each of 2 once"),
    "time": (("phases", 1, "time_s"), 80.0, "phases[1].time_s: found 80 s, the timed epochs took 8.081 s"),
}


@pytest.mark.parametrize(("path", "value", "problem"), CONTRADICTING_PHASES.values(), ids=CONTRADICTING_PHASES)
def test_phases_that_are_not_of_the_epochs_are_named_and_left_out(paths, path, value, problem):
    file = paths.run(RUN).result
    document = json.loads(file.read_text())
    data, row = report_with(paths, file, changed(document, path, document["phases"][:1] if value == [] else value))
    assert (row.outcome, row.flaw) == ("completed", "impossible numbers")
    assert row.epoch_time_s is not None
    assert data.problems == [f"runs/{RUN}/result.json: {problem}; this part is not used"]
    assert next(one for one in data.communication).step_s is None


WRONG_PROBES = {
    "zero": (("throughput", 0, "alone_s", 0), 0.0, r"throughput\[0\].alone_s: found 0.0"),
    "empty": (("throughput", 0, "alone_s"), [], r"throughput\[0\].alone_s/together_s: found \(0, 3\)"),
    "nobody": (("throughput", 0, "together_s", 1), [], r"throughput\[0\].together_s: found 0.0"),
    "no number": (("all_reduce", 1, "time_s", 0), math.nan, r"all_reduce\[1\].time_s: found nan"),
    "size again": (("all_reduce", 1, "bytes"), 4, r"all_reduce\[1\].bytes/repeated: found 4"),
    "load": (("foreign_load",), math.inf, "foreign_load: found inf"),
}


@pytest.mark.parametrize(("path", "value", "problem"), WRONG_PROBES.values(), ids=WRONG_PROBES)
def test_an_impossible_number_of_a_probe_is_named_and_its_sample_left_out(paths, path, value, problem):
    file = paths.probe("1x2")
    data, _ = report_with(paths, file, changed(json.loads(file.read_text()), path, value))
    assert len(data.problems) == 1
    assert re.match(f"probe/1x2.json: {problem}, which cannot be; this part is not used$", data.problems[0])


def test_a_probe_of_another_layout_is_named_and_not_used(paths):
    file = paths.probe("1x2")
    data, _ = report_with(paths, file, changed(json.loads(file.read_text()), ("nodes",), 2))
    assert data.problems == ["probe/1x2.json: is of 2x2 and not of this layout"]
    assert data.probe.ceilings == []
