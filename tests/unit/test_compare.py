"""Two studies against each other: verdicts, differences around them, exit codes, plain and rich output."""

import io
import os
import subprocess
import sys

import numpy as np
import pytest
from rich.console import Console
from synthetic_study import make_study

from scalestudy.analysis.analyze import analyze, report_data
from scalestudy.analysis.collect import collect
from scalestudy.analysis.compare import compare_studies
from scalestudy.records.files import read_model, write_model
from scalestudy.records.result import Result
from scalestudy.report.compare import print_comparison
from scalestudy.spec.config import ReportSpec
from scalestudy.spec.run import Study

LAYOUTS = {"ddp": ("1x2", "1x4"), "hsdp": ("1x4",)}
CELLS = ("serial-1x1", "ddp-1x2", "ddp-1x4", "hsdp-1x4")


def study(folder, name="quick", **settings):
    made_of = {"workloads": 1, "strategies": LAYOUTS, "seeds": (0, 1, 2, 3, 4), "name": name, **settings}
    return make_study(folder, **made_of)


def report(folder, name="quick", **settings):
    return report_data(collect(study(folder, name, **settings).results))


def verdicts(found):
    return {(row.cell.strategy, row.cell.devices): row.verdict for row in found.cells}


def test_a_study_against_itself_is_not_separated_anywhere_and_differs_in_nothing(tmp_path):
    data = report(tmp_path)
    found = compare_studies(data, data)
    assert set(verdicts(found).values()) == {"not separated"}
    assert [row.ratio for row in found.cells] == [1.0] * 4
    assert (found.slower, found.missing, found.differences) == (0, 0, [])


def test_a_slower_a_faster_and_a_missing_cell_are_each_named(tmp_path):
    first = report(tmp_path, "one", speedups={("ddp", "1x2"): 1.8, ("ddp", "1x4"): 3.0})
    second = report(
        tmp_path, "two", speedups={("ddp", "1x2"): 1.5, ("ddp", "1x4"): 3.6}, strategies={"ddp": ("1x2", "1x4")}
    )
    found = compare_studies(first, second)
    assert verdicts(found) == {
        ("serial", 1): "not separated", ("ddp", 2): "slower", ("ddp", 4): "faster", ("hsdp", 4): "missing"
    }  # fmt: skip
    slower = next(row for row in found.cells if row.verdict == "slower")
    assert slower.ratio == pytest.approx(1.2)
    assert 1 < slower.low < 1.2 < slower.high
    assert (found.slower, found.missing) == (1, 1)
    assert compare_studies(second, first).missing == 0


def test_two_runs_have_no_verdict_and_the_note_says_why(tmp_path):
    first, second = report(tmp_path, "one", seeds=(0, 1)), report(tmp_path, "two", seeds=(0, 1), speedups={})
    found = compare_studies(first, second)
    assert {(row.verdict, row.low) for row in found.cells} == {("not computed", None)}
    assert "fewer than 3 runs" in found.cells[0].note
    assert (found.unjudged, found.slower) == (4, 0)


def test_a_cell_that_computes_something_else_is_not_judged_by_its_time(tmp_path):
    first, second = report(tmp_path, "one"), report(tmp_path, "two", speedups={("hsdp", "1x4"): 0.1}, parity=["hsdp"])
    found = compare_studies(first, second)
    row = next(row for row in found.cells if row.cell.strategy == "hsdp")
    assert (row.verdict, row.ratio, row.note) == ("not computed", None, "fails the parity check in the second study")
    assert (found.unjudged, found.slower, found.missing) == (1, 0, 0)


def with_runs(paths, change):
    """The report of a study whose plan was changed before it ran: its results are of the changed runs."""
    plan = read_model(paths.study, Study)
    runs = [change(run) for run in plan.runs]
    for run in runs:
        result = paths.run(run.id).result
        write_model(paths.run(run.id).run, run)
        found = read_model(result, Result)
        epochs = [one.model_copy(update={"steps": -(-one.images // run.global_batch)}) for one in found.epochs]
        steps = sum(one.steps for one in epochs if one.timed)
        phases = [one.model_copy(update={"steps": steps}) for one in found.phases]
        changes = {"run_digest": run.digest, "epochs": epochs, "phases": phases}
        write_model(result, found.model_copy(update=changes))
    write_model(paths.study, plan.model_copy(update={"runs": runs}))
    return report_data(collect(paths.results))


def test_cells_that_do_other_work_are_not_judged_and_what_differs_is_listed(tmp_path):
    def larger(run):
        if run.cell.strategy == "hsdp":
            return run
        batch = run.workload.model_copy(update={"batch_size": 128})
        return run.model_copy(update={"workload": batch})

    first = report(tmp_path, "one")
    second = with_runs(study(tmp_path, "two", speedups={("ddp", "1x2"): 0.1}), larger)
    found = compare_studies(first, second)
    assert verdicts(found) == {
        ("serial", 1): "not computed", ("ddp", 2): "not computed", ("ddp", 4): "not computed",
        ("hsdp", 4): "not separated",
    }  # fmt: skip
    assert {row.note for row in found.cells[:3]} == {"the studies do different work: workload.batch_size"}
    assert (found.unjudged, found.slower) == (3, 0)
    assert [(one.item, one.first, one.second) for one in found.differences] == [
        ("mnist: workload.batch_size", "64", "128")
    ]


def test_titles_and_settings_that_a_scaling_does_not_use_are_no_other_work(tmp_path):
    def renamed(run):
        return run.model_copy(update={"workload": run.workload.model_copy(update={"title": "Z", "weak_samples": 64})})

    found = compare_studies(report(tmp_path, "one"), with_runs(study(tmp_path, "two"), renamed))
    assert set(verdicts(found).values()) == {"not separated"}
    assert found.differences == []


def test_a_setting_that_only_a_later_version_has_is_listed_and_does_not_keep_cells_from_being_judged(tmp_path):
    data = report(tmp_path)
    later = [row.model_copy(update={"settings": row.settings | {"workload.new": "true"}}) for row in data.work]
    found = compare_studies(data, data.model_copy(update={"work": later}))
    assert "not computed" not in {row.verdict for row in found.cells}
    assert ("mnist: workload.new", "", "true") in [(one.item, one.first, one.second) for one in found.differences]


def test_other_options_or_devices_are_other_work_and_another_number_of_epochs_is_not(tmp_path):
    first = report(tmp_path, "one")

    def other(run):
        return run.model_copy(update={"cores_per_device": 2})

    found = compare_studies(first, with_runs(study(tmp_path, "two"), other))
    assert {row.verdict for row in found.cells} == {"not computed"}
    options = with_runs(
        study(tmp_path, "three"),
        lambda run: (
            run.model_copy(update={"strategy_options": {"bucket_mb": 5}}) if run.cell.strategy == "ddp" else run
        ),
    )
    found = compare_studies(first, options)
    assert verdicts(found)["ddp", 2] == "not computed"
    assert [(one.item, one.second) for one in found.differences] == [("ddp: options.bucket_mb", "5")]
    longer = compare_studies(first, report(tmp_path, "four", epochs=8))
    assert {row.verdict for row in longer.cells} == {"not separated"}


def test_a_report_of_an_earlier_version_is_judged_and_what_it_lacks_is_said(tmp_path):
    data = report(tmp_path)
    found = compare_studies(data.model_copy(update={"work": []}), data)
    assert set(verdicts(found).values()) == {"not separated"}
    assert [(one.item, one.first, one.second) for one in found.differences] == [
        ("settings of the cells", "", "recorded")
    ]


def test_other_numbers_of_epochs_are_compared_and_listed(tmp_path):
    first = report(tmp_path, "one")
    longer = [facts.model_copy(update={"epochs": facts.epochs + 3}) for facts in first.workloads]
    found = compare_studies(first, first.model_copy(update={"workloads": longer}))
    assert set(verdicts(found).values()) == {"not separated"}
    assert [(one.item, int(one.second) - int(one.first)) for one in found.differences] == [
        (f"{facts.name}: epochs", 3) for facts in first.workloads
    ]


def test_the_languages_of_two_reports_are_no_difference_between_their_environments(tmp_path):
    english, german = report(tmp_path, "one"), report(tmp_path, "two", words=ReportSpec(language="de"), commit="0123")
    assert {row.item for row in english.environment} != {row.item for row in german.environment}
    assert [(one.item, one.second) for one in compare_studies(english, german).differences] == [
        ("Source commit", "0123")
    ]


@pytest.mark.parametrize(
    ("field", "item", "before", "after"),
    [
        ("commit", "Source commit", "4f2c9e1d5b6a", "0123456789ab"),
        ("image_digest", "Image", "none", f"sha256:{64 * 'a'}"),
        ("processor", "Processor", "Synthetic CPU (nothing was measured)", "Another CPU"),
        ("torch", "PyTorch", "2.13.0", "2.15.0"),
    ],
)
def test_what_differs_in_commit_image_node_type_and_versions_is_listed(tmp_path, field, item, before, after):
    paths = study(tmp_path, "two")
    for path in paths.results.glob("runs/*/*/*/*/result.json"):
        result = read_model(path, Result)
        elsewhere = result.provenance.model_copy(update={field: after})
        write_model(path, result.model_copy(update={"provenance": elsewhere}))
    found = compare_studies(report(tmp_path, "one"), report_data(collect(paths.results)))
    assert [(one.item, one.first, one.second) for one in found.differences] == [(item, before, after)]


def test_of_equal_studies_at_most_one_in_twenty_has_any_cell_called_different(tmp_path):
    data = report(tmp_path)
    random = np.random.default_rng(3)

    def redrawn():
        rows = [row.model_copy(update={"epoch_time_s": float(random.lognormal(0, 0.05))}) for row in data.runs]
        return data.model_copy(update={"runs": rows})

    called = [set(verdicts(compare_studies(redrawn(), redrawn())).values()) != {"not separated"} for _ in range(400)]
    assert np.mean(called) <= 0.05 + 3 * (0.05 * 0.95 / 400) ** 0.5


def run(folder, *arguments):
    command = [sys.executable, "-m", "scalestudy", "compare", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ})


def test_the_exit_code_is_what_ci_needs_and_a_pipe_gets_tab_separated_lines(tmp_path):
    for name, settings in (
        ("one", {"speedups": {("ddp", "1x2"): 1.8}}),
        ("slow", {"speedups": {("ddp", "1x2"): 1.2}}),
        ("less", {"speedups": {("ddp", "1x2"): 1.8}, "strategies": {"ddp": ("1x2",)}}),
        ("few", {"speedups": {("ddp", "1x2"): 0.1}, "seeds": (0, 1)}),
        ("wrong", {"speedups": {("ddp", "1x2"): 1.8}, "parity": ["ddp"]}),
        ("none", {"failures": {f"mnist/epoch/{cell}/seed{seed}": "failed" for cell in CELLS for seed in range(5)}}),
        ("lame", {"failures": {f"mnist/epoch/ddp-1x2/seed{seed}": "failed" for seed in range(5)}}),
    ):
        analyze(study(tmp_path / "results", name, **settings).results)
    assert run(tmp_path, "one", "one").returncode == 0
    slower = run(tmp_path, "one", "results/slow")
    assert (slower.returncode, slower.stderr) == (1, "")
    lines = slower.stdout.splitlines()
    assert lines[0].split("\t")[:3] == ["workload", "scaling", "strategy"]
    assert lines[2].split("\t")[-1] == "slower"
    assert lines[-1] == "results/slow against one: 1 slower, 3 not separated"
    assert run(tmp_path, "one", "results/less/report.json").returncode == 3
    assert [run(tmp_path, "one", name).returncode for name in ("few", "wrong")] == [4, 4]
    assert [run(tmp_path, "none", name).returncode for name in ("none", "one")] == [4, 4]
    assert [run(tmp_path, *names).returncode for names in (("lame", "lame"), ("lame", "one"))] == [4, 4]
    assert run(tmp_path, "one", "lame").returncode == 3
    assert run(tmp_path, "less", "one").returncode == 0  # what the second has besides is not missing
    lost = run(tmp_path, "one", "nowhere")
    assert (lost.returncode, len(lost.stderr.splitlines())) == (2, 1)
    assert "results/nowhere: found no such study; planned here: few, " in lost.stderr
    study(tmp_path / "results", "begun")
    begun = run(tmp_path, "one", "begun")
    assert (begun.returncode, begun.stderr) == (
        2,
        "scalestudy compare: results/begun/report.json: is written when the study is finished; "
        "scalestudy show begun tells how far it is\n",
    )


def test_a_cell_that_the_first_machine_was_too_small_for_is_not_expected(tmp_path):
    large, small = report(tmp_path / "large"), report(tmp_path / "small")
    runs = [run.model_copy(update={"oversubscribed": run.devices == 4}) for run in small.runs]
    found = compare_studies(small.model_copy(update={"runs": runs}), large)
    assert {cell.cell.devices for cell in found.cells if not cell.expected} == {4}
    assert (found.missing, found.unjudged) == (0, 0)


def test_a_terminal_gets_a_table(tmp_path):
    data, out = report(tmp_path), io.StringIO()
    print_comparison(compare_studies(data, data), ("a", "b"), Console(file=out, width=120))
    assert "Verdict" in out.getvalue()
    assert out.getvalue().count("not separated") == 4
