"""Reading the runs: every damage is one line in ``problems`` and never a number."""

import json

import pytest
from synthetic_study import make_study, rewrite

from scalestudy.analysis.analyze import report_data
from scalestudy.analysis.collect import collect
from scalestudy.errors import StudyError
from scalestudy.records.files import read_model, write_model
from scalestudy.records.paths import StudyPaths
from scalestudy.records.report import ReportData
from scalestudy.records.result import Result
from scalestudy.spec.run import Study

RUN = "mnist/epoch/ddp-1x2/seed1"
SMALL = {"workloads": 1, "strategies": {"ddp": ("1x2",)}}


def outcome(results, run=RUN):
    collection = collect(results)
    row = next(found.row for found in collection.runs if found.row.run == run)
    return row, collection.problems


def change_result(paths, **changes):
    path = paths.run(RUN).result
    rewrite(paths.run(RUN), read_model(path, Result).model_copy(update=changes))


def test_completed_runs_carry_their_numbers(tmp_path):
    row, problems = outcome(make_study(tmp_path, **SMALL, noise=0, resumed={RUN: 2}).results)
    assert problems == []
    assert (row.outcome, row.reason, row.resumed, row.seed) == ("completed", "", 2, 1)
    assert row.epoch_time_s == pytest.approx(4.08)
    assert row.images_per_s == pytest.approx(6000 / 4.08)
    assert row.startup_s == 4.0
    assert row.accuracy == pytest.approx(0.9)
    assert row.foreign_load == pytest.approx(0.004)
    assert row.host == "node01"


@pytest.mark.parametrize(
    ("failure", "fate", "reason", "problem"),
    [
        ("failed", "failed", "rank 1 on node02: out of memory", None),
        ("missing", "missing", "not started", None),
        ("truncated", "missing", "damaged record", f"runs/{RUN}/result.json: the file: Invalid JSON"),
        ("empty", "missing", "damaged record", f"runs/{RUN}/result.json: the file: Invalid JSON"),
        ("foreign_digest", "missing", "result of another specification", f"runs/{RUN}/result.json: result of another"),
        ("foreign_rank_lines", "completed", "", f"runs/{RUN}/ranks/rank0.jsonl:15: is not an event line (and 1 more)"),
    ],
)
def test_each_failure_has_its_outcome_and_at_most_one_problem_line(tmp_path, failure, fate, reason, problem):
    paths = make_study(tmp_path, **SMALL, failures={RUN: failure})
    row, problems = outcome(paths.results)
    assert (row.outcome, row.reason) == (fate, reason)
    assert (row.epoch_time_s is None) == (fate != "completed")
    assert len(problems) == (problem is not None)
    assert all(line.startswith(problem) and "\n" not in line and str(tmp_path) not in line for line in problems)


def test_a_result_cut_anywhere_gives_its_number_or_none(tmp_path):
    paths = make_study(tmp_path, workloads=1, strategies={}, seeds=(0,), noise=0)
    run = "mnist/epoch/serial-1x1/seed0"
    whole = paths.run(run).result.read_bytes()
    for length in (*range(0, len(whole), 97), len(whole) - 2, len(whole) - 1):
        paths.run(run).result.write_bytes(whole[:length])
        row, problems = outcome(paths.results, run)
        cut = length < len(whole) - 1  # all but the last newline
        assert (row.outcome, row.epoch_time_s, len(problems)) == (
            ("missing", None, 1) if cut else ("completed", 8.0, 0)
        )


def test_a_run_json_that_is_not_the_planned_run_voids_the_result(tmp_path):
    paths = make_study(tmp_path, **SMALL)
    document = json.loads(paths.run(RUN).run.read_text())
    document["workload"]["batch_size"] = 32
    paths.run(RUN).run.write_text(json.dumps(document))
    row, problems = outcome(paths.results)
    assert (row.outcome, row.reason) == ("missing", "result of another specification")
    assert len(problems) == 1


def test_a_result_copied_from_another_seed_is_of_another_specification(tmp_path):
    paths = make_study(tmp_path, **SMALL)
    paths.run(RUN).result.write_bytes(paths.run(RUN.replace("seed1", "seed0")).result.read_bytes())
    assert outcome(paths.results)[0].reason == "result of another specification"


@pytest.mark.parametrize("time_s", [0.0, -1.0])
def test_a_time_that_is_no_positive_number_is_not_used(tmp_path, time_s):
    paths = make_study(tmp_path, **SMALL)
    epochs = read_model(paths.run(RUN).result, Result).epochs
    change_result(paths, epochs=[epoch.model_copy(update={"time_s": time_s}) for epoch in epochs])
    row, problems = outcome(paths.results)
    assert (row.outcome, row.epoch_time_s) == ("missing", None)
    assert problems[-1] == f"runs/{RUN}/result.json: holds an epoch time that is not a positive number"
    assert len(problems) == (3 if time_s < 0 else 1)  # the rank files hold such times, too


def test_a_completed_result_with_too_few_epochs_is_not_used(tmp_path):
    paths = make_study(tmp_path, **SMALL)
    change_result(paths, epochs=read_model(paths.run(RUN).result, Result).epochs[:4])
    row, problems = outcome(paths.results)
    assert (row.outcome, row.reason) == ("missing", "says completed but holds 4 of 6 epochs")
    assert len(problems) == 1


def test_a_result_without_timed_epochs_is_not_used(tmp_path):
    paths = make_study(tmp_path, **SMALL)
    epochs = read_model(paths.run(RUN).result, Result).epochs
    change_result(paths, epochs=[epoch.model_copy(update={"timed": False}) for epoch in epochs])
    assert outcome(paths.results)[0].reason == "holds no timed epoch"


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        (
            '{"event": "epoch", "time": 1, "epoch": 2, "train_loss": 1, "time_s": 1}\n',
            "no result; stopped after epoch 3",
        ),
        ('{"event": "error", "time": 1, "message": "disk\\nfull"}\n', "no result; rank0: disk full"),
        ("", "no result"),
    ],
)
def test_a_run_without_result_says_how_far_its_ranks_came(tmp_path, events, reason):
    paths = make_study(tmp_path, **SMALL, failures={RUN: "missing"})
    paths.run(RUN).ranks.mkdir()
    paths.run(RUN).events(0).write_text(events)
    row, problems = outcome(paths.results)
    assert (row.outcome, row.reason, problems) == ("missing", reason, [])


def test_the_time_of_a_run_is_the_median_of_its_timed_epochs(tmp_path):
    paths = make_study(tmp_path, **SMALL, noise=0)
    epochs = read_model(paths.run(RUN).result, Result).epochs
    new_times = [100.0, 3.0, 9.0, 4.0, 5.0, 50.0]  # the first is not timed
    change_result(
        paths, epochs=[epoch.model_copy(update={"time_s": time}) for epoch, time in zip(epochs, new_times, strict=True)]
    )
    assert outcome(paths.results)[0].epoch_time_s == 5.0


def test_a_run_whose_loss_is_not_a_number_keeps_its_time_and_leaves_the_curves(tmp_path):
    paths = make_study(tmp_path, **SMALL, noise=0)
    result = paths.run(RUN).result
    document = json.loads(result.read_text())
    document["epochs"][-1]["train_loss"] = float("nan")
    result.write_text(json.dumps(document))
    data = report_data(collect(paths.results))
    row = next(row for row in data.runs if row.run == RUN)
    assert (row.outcome, row.reason, row.train_loss) == ("completed", "the training loss is not finite", None)
    assert row.epoch_time_s == pytest.approx(4.08)
    assert [(curve.strategy, curve.n) for curve in data.curves] == [("serial", 3), ("ddp", 2)]
    write_model(paths.report, data)
    assert read_model(paths.report, ReportData) == data


def test_settings_that_a_strategy_had_to_change_reach_the_report(tmp_path):
    paths = make_study(tmp_path, **SMALL)
    change_result(paths, notes=["SGD is not fused"])
    assert [row.notes for row in report_data(collect(paths.results)).strategies] == [[], ["SGD is not fused"]]


def test_a_truncated_parity_file_is_a_problem_and_no_parity(tmp_path):
    collection = collect(make_study(tmp_path, **SMALL, parity="truncated").results)
    assert collection.parity == []
    assert [line.startswith("parity.json: ") for line in collection.problems] == [True]


def test_skipped_combinations_are_listed_and_counted_and_notes_of_the_plan_only_listed(tmp_path):
    without = {"skipped": ["mnist/epoch/ddp-4x4: 2 nodes"], "notes": ["auto: takes 1"]}
    data = report_data(collect(make_study(tmp_path, **SMALL, **without).results))
    assert data.problems == ["note: auto: takes 1", "skipped: mnist/epoch/ddp-4x4: 2 nodes"]
    assert data.counts.skipped == 1


def test_a_missing_study_is_one_line_that_names_the_file(tmp_path):
    with pytest.raises(StudyError, match=r"study\.json: cannot be read: No such file") as caught:
        collect(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_strategy_that_the_catalog_lacks_is_one_line(tmp_path):
    paths = make_study(tmp_path, **SMALL)
    paths.study.write_text(paths.study.read_text().replace('"ddp"', '"dpp"'))
    with pytest.raises(StudyError, match="strategy 'dpp' of mnist/epoch/dpp-1x2/seed0 is unknown; known: serial"):
        collect(paths.results)


def test_a_result_of_brackets_without_end_is_a_damaged_record(tmp_path):
    paths = make_study(tmp_path, **SMALL)
    paths.run(RUN).result.write_text("[" * 100_000)
    row, problems = outcome(paths.results)
    assert (row.outcome, row.reason) == ("missing", "damaged record")
    assert [line.startswith(f"runs/{RUN}/result.json: ") for line in problems] == [True]


def test_a_run_that_is_planned_twice_is_one_line(tmp_path):
    paths = make_study(tmp_path, **SMALL)
    study = read_model(paths.study, Study)
    write_model(paths.study, study.model_copy(update={"runs": [*study.runs, study.runs[1]]}))
    with pytest.raises(StudyError, match=r"study\.json: run mnist/epoch/serial-1x1/seed1 is planned twice"):
        collect(paths.results)


def test_disagreeing_commits_are_all_named(tmp_path):
    paths = make_study(tmp_path, **SMALL)
    provenance = read_model(paths.run(RUN).result, Result).provenance
    change_result(paths, provenance=provenance.model_copy(update={"commit": "0000000-dirty"}))
    data = report_data(collect(paths.results))
    assert data.commit == "4f2c9e1d5b6a, 0000000-dirty"
    row = next(row for row in data.environment if row.item == "Source commit")
    assert (row.value, row.conflict) == ("4f2c9e1d5b6a (5 runs); 0000000-dirty (1 run)", True)
    assert data.problems == [f"records disagree on Source commit: {row.value}"]
    assert any(sentence.rule == "R15" and "Source commit" in sentence.text for sentence in data.sentences)


def test_an_empty_study_and_a_study_of_failures_still_make_a_report(tmp_path):
    empty = StudyPaths(tmp_path / "empty")
    write_model(empty.study, Study(name="empty", runs=[], accuracy_margin=0.01))
    data = report_data(collect(empty.results))
    assert (data.counts.planned, data.runs, data.speedup) == (0, [], [])
    assert [s.text for s in data.sentences if s.rule == "R1"] == ["No run was planned."]
    assert len(data.headlines) == 2

    ids = [f"mnist/epoch/{cell}/seed{seed}" for cell in ("serial-1x1", "ddp-1x2") for seed in range(3)]
    failed = make_study(tmp_path, **SMALL, failures=dict.fromkeys(ids, "failed"), parity="absent", name="failed")
    data = report_data(collect(failed.results))
    assert (data.counts.failed, data.counts.completed) == (6, 0)
    assert all(row.time_s is None and row.note == "no completed run" for row in data.speedup)
    assert [headline.value for headline in data.headlines] == ["0/6", "not checked"]
    assert {sentence.rule for sentence in data.sentences} <= {"R1", "R7", "R8", "R16", "R17", "R24"}
