"""Every wrong record is named with its file and line, marks its run, and moves no number."""

import json
import os
import random
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_study import event_lines, make_study, rewrite

from scalestudy.analysis import plain_ranks, rank_files
from scalestudy.analysis.analyze import report_data
from scalestudy.analysis.cache import read_entries
from scalestudy.analysis.collect import collect
from scalestudy.analysis.plain_ranks import PlainRanks
from scalestudy.analysis.planned import Planned
from scalestudy.analysis.rank_epochs import RankEpochs, contradiction
from scalestudy.analysis.rank_files import RankCheck, check_ranks
from scalestudy.analysis.rank_lines import look_at
from scalestudy.records.events import EventLog
from scalestudy.records.files import model_text, read_model, write_model
from scalestudy.records.result import Result
from scalestudy.spec.run import Study

RUN = "mnist/epoch/ddp-1x2/seed1"
SMALL = {"workloads": 1, "strategies": {"ddp": ("1x2",)}, "noise": 0}
WHERE = f"runs/{RUN}/ranks/rank1.jsonl"


def lines_of(paths):
    return paths.run(RUN).events(1).read_text().splitlines(keepends=True)


def with_values(line, **values):
    """The line with other values of those keys that it has, of schema_version, or of the event and what that needs."""
    event = json.loads(line)
    new = {"schema_version", *event, *(values if "event" in values else ())}
    return json.dumps(event | {key: value for key, value in values.items() if key in new}) + "\n"


def taken_up(start, epoch):
    """The lines of another attempt, up to the epoch that it begins with."""
    at = json.loads(start)["time"] + 1e6
    resume = {"event": "resume", "time": at + 1, "epoch": epoch, "step": 0}
    return [with_values(start, time=at, pid=7), json.dumps(resume) + "\n"]


def moved(line, seconds):
    event = json.loads(line)
    return json.dumps(event | {"time": event["time"] + seconds}) + "\n"


def swapped(lines, one, other):
    lines = list(lines)
    lines[one], lines[other] = lines[other], lines[one]
    return lines


def at_times_of(lines, originals):
    """The lines with the times of the originals, so that only their order is wrong."""
    times = [json.loads(line)["time"] for line in originals]
    return [json.dumps(json.loads(line) | {"time": time}) + "\n" for line, time in zip(lines, times, strict=True)]


DAMAGES = {
    "not a number": (
        lambda ls: with_value(ls, 5, 2, "NaN"),
        "foreign rank lines; rank lines lost",
        ":6: event epoch: epoch is not a number that can stand there",
    ),
    "out of range": (
        lambda ls: with_value(ls, 5, 4, "1e999"),
        "foreign rank lines; rank lines lost",
        ":6: event epoch: time_s is not a number that can stand there",
    ),
    "too deep": (
        lambda ls: [*ls[:5], "[" * 200_000 + "\n", *ls[5:]],
        "foreign rank lines",
        ":6: is not an event line",
    ),
    "clock ahead in an evaluation": (
        lambda ls: [*ls[:6], *(moved(line, 3600) for line in ls[6:])],
        "clock jumps",
        ":7: evaluation 2 took 0.1 s by its timer and 3600.1 s by the clock",
    ),
    "foreign": (lambda ls: [*ls[:5], "slurmstepd: error\n", *ls[5:]], "foreign rank lines", ":6: is not an event line"),
    "truncated": (
        lambda ls: [*ls[:-1], ls[-1][:20]],
        "foreign rank lines; rank lines lost",
        ":14: is not an event line",
    ),
    "cut off": (lambda ls: ls[:-1], "rank lines lost", ":13: ends without an end event"),
    "empty": (lambda ls: [], "rank lines lost", ":1: does not begin with a start event"),
    "twice": (lambda ls: [*ls[:4], ls[3], *ls[4:]], "rank lines twice", ":5: repeats line 4"),
    "out of order": (
        lambda ls: at_times_of(swapped(ls, 3, 5), ls),
        "rank lines out of order",
        ":4: epoch 2 where epoch 1 was to follow",
    ),
    "lost epoch": (
        lambda ls: [*ls[:3], *ls[5:]],
        "rank lines lost",
        ":4: lacks epoch 1 up to evaluation 1 before it",
    ),
    "clock back": (
        lambda ls: [*ls[:6], *(moved(line, -3600) for line in ls[6:])],
        "clock jumps",
        ":7: the clock jumps",
    ),
    "clock ahead": (
        lambda ls: [*ls[:5], *(moved(line, 3600) for line in ls[5:])],
        "clock jumps",
        ":6: epoch 2 took 4.1 s by its timer and 3604.1 s by the clock",
    ),
    "of another run": (
        lambda ls: [ls[0].replace('"digest": "', '"digest": "x'), *ls[1:]],
        "foreign rank lines",
        ":1: was written by a run of another specification",
    ),
    "of another rank": (
        lambda ls: [ls[0].replace('"rank": 1', '"rank": 0'), *ls[1:]],
        "foreign rank lines",
        ":1: was written by rank 0",
    ),
    "a number that is none": (
        lambda ls: [*ls[:3], ls[3].replace('"time_s": ', '"time_s": "x'), *ls[4:]],
        "foreign rank lines; rank lines lost",
        ":4: is not an event line",
    ),
    "whole file of another specification": (
        lambda ls: [ls[0].replace('"digest": "', '"digest": "x'), *(with_values(line, time_s=60.0) for line in ls[1:])],
        "foreign rank lines",
        ":1: was written by a run of another specification",
    ),
    "of another cell": (
        lambda ls: [with_values(ls[0], run="mnist/epoch/ddp-1x4/seed1"), *ls[1:]],
        "foreign rank lines",
        ":1: was written by run mnist/epoch/ddp-1x4/seed1",
    ),
    "of another number of ranks": (
        lambda ls: [with_values(ls[0], ranks=4), *ls[1:]],
        "foreign rank lines",
        ":1: was written by one of 4 ranks",
    ),
    "of another rank in an earlier attempt": (
        lambda ls: [with_values(ls[0], rank=0), moved(ls[1], -1), *ls],
        "foreign rank lines",
        ":1: was written by rank 0",
    ),
    "of another schema": (
        lambda ls: [with_values(ls[0], schema_version=2), *(with_values(line, time_s=60.0) for line in ls[1:])],
        "foreign rank lines",
        ":1: schema_version: found 2; this version of scalestudy reads 1",
    ),
    "a line of another schema": (
        lambda ls: [*ls[:5], with_values(ls[5], schema_version=2, time_s=4000.0), *ls[6:]],
        "foreign rank lines; rank lines lost",
        ":6: schema_version: found 2; this version of scalestudy reads 1",
    ),
    "accuracy in words": (
        lambda ls: [*ls[:6], with_values(ls[6], test_accuracy="0.5"), *ls[7:]],
        "foreign rank lines; rank lines lost",
        ":7: event evaluation: test_accuracy is not a number that can stand there",
    ),
    "accuracy true": (
        lambda ls: [*ls[:6], with_values(ls[6], test_accuracy=True), *ls[7:]],
        "foreign rank lines; rank lines lost",
        ":7: event evaluation: test_accuracy is not a number that can stand there",
    ),
    "accuracy in percent": (
        lambda ls: [*ls[:6], with_values(ls[6], test_accuracy=80.0), *ls[7:]],
        "foreign rank lines; rank lines lost",
        ":7: event evaluation: test_accuracy is not a number that can stand there",
    ),
    "loss in words": (
        lambda ls: [*ls[:5], with_values(ls[5], train_loss="low"), *ls[6:]],
        "foreign rank lines; rank lines lost",
        ":6: event epoch: train_loss is not a number that can stand there",
    ),
    "time below 0": (
        lambda ls: [*ls[:5], with_values(ls[5], time_s=-4.0), *ls[6:]],
        "foreign rank lines; rank lines lost",
        ":6: event epoch: time_s is not a number that can stand there",
    ),
    "start lost": (lambda ls: ls[1:], "rank lines lost", ":1: does not begin with a start event"),
    "first epoch lost": (
        lambda ls: [ls[0], *ls[3:]],
        "rank lines lost",
        ":2: lacks epoch 0 up to evaluation 0 before it",
    ),
    "evaluation lost": (lambda ls: [*ls[:4], *ls[5:]], "rank lines lost", ":5: lacks evaluation 1 before it"),
    "half lost": (
        lambda ls: ls[:6],
        "rank lines lost",
        ":6: ends without an end event and without evaluation 2 up to evaluation 5",
    ),
    "last evaluation lost": (lambda ls: [*ls[:-2], ls[-1]], "rank lines lost", ":13: lacks evaluation 5 before it"),
    "resumed beyond what is there": (
        lambda ls: [*ls[:3], *taken_up(ls[0], 2), *(moved(line, 2e6) for line in ls[5:])],
        "rank lines lost",
        ":5: lacks epoch 1 up to evaluation 1 before it",
    ),
    "another epoch than resumed": (
        lambda ls: [*ls[:5], *taken_up(ls[0], 1), *(moved(line, 2e6) for line in ls[5:])],
        "rank lines out of order",
        ":8: epoch 2 where epoch 1 was to follow",
    ),
    "resumed without a start": (
        lambda ls: [*ls[:5], taken_up(ls[0], 2)[1], *(moved(line, 2e6) for line in ls[5:])],
        "rank lines lost",
        ":6: has no start event before it",
    ),
    "more epochs than planned": (
        lambda ls: [*ls[:-1], with_values(ls[-3], epoch=6), ls[-1]],
        "foreign rank lines",
        ":14: is of epoch 6, and the run has 6 epochs",
    ),
    "end before the last epoch": (
        lambda ls: [*ls[:11], ls[-1], *ls[11:-1]],
        "rank lines out of order",
        ":13: event epoch after event end",
    ),
    "end twice": (
        lambda ls: [*ls, moved(ls[-1], 1)],
        "rank lines out of order",
        ":15: event end after event end",
    ),
    "error after the end": (
        lambda ls: [*ls, with_values(moved(ls[-1], 1), event="error", message="lost")],
        "rank lines out of order",
        ":15: event error after event end",
    ),
    "on after an error": (
        lambda ls: [*ls[:3], with_values(ls[2], event="error", message="lost"), *ls[3:]],
        "rank lines out of order",
        ":5: event epoch after event error",
    ),
}


END_TO_END = {"total_s", "end_to_end_speedup", "end_to_end_low", "end_to_end_high", "end_to_end_method"}


@pytest.mark.parametrize(("damage", "flaw", "problem"), DAMAGES.values(), ids=DAMAGES)
def test_a_wrong_line_is_named_marks_its_run_and_moves_no_number(tmp_path, damage, flaw, problem):
    whole = report_data(collect(make_study(tmp_path / "whole", **SMALL).results))
    paths = make_study(tmp_path, **SMALL)
    paths.run(RUN).events(1).write_text("".join(damage(lines_of(paths))))
    data = report_data(collect(paths.results))
    row = next(row for row in data.runs if row.run == RUN)
    assert (row.outcome, row.flaw) == ("completed", flaw)
    assert len(data.problems) == 1
    assert data.problems[0].startswith(WHERE + problem)
    assert data.counts.flawed == 1
    assert (row.total_s is None) == ("clock jumps" in flaw)
    spared = END_TO_END if row.total_s is None else set()
    speedups = [[one.model_dump(exclude=spared) for one in each.speedup] for each in (data, whole)]
    assert speedups[0] == speedups[1]
    assert (data.accuracy, data.phases) == (whole.accuracy, whole.phases)


@pytest.mark.parametrize("line", [5, 6, 13])
def test_a_clock_set_forward_gives_no_end_to_end_time_whatever_the_result_says(tmp_path, line):
    """In an epoch, an evaluation, or after all: a program that took the total from the time of day counts the hour."""
    paths = make_study(tmp_path, **SMALL)
    for rank in (0, 1):
        lines = paths.run(RUN).events(rank).read_text().splitlines(keepends=True)
        paths.run(RUN).events(rank).write_text("".join([*lines[:line], *(moved(one, 3600) for one in lines[line:])]))
    path = paths.run(RUN).result
    result = read_model(path, Result)
    write_model(path, result.model_copy(update={"total_s": result.total_s + 3600}))
    data = report_data(collect(paths.results))
    row = next(row for row in data.runs if row.run == RUN)
    assert (row.total_s, row.flaw) == (None, "clock jumps")
    assert (RUN, "end-to-end speedup") in [(one.run, one.excluded_from) for one in data.exclusions]
    assert next(one for one in data.speedup if one.strategy == "ddp").total_s < 600


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("time_s", 2.0, "epochs[2].time_s: found 2 s, rank0.jsonl says 4.08 s"),
        ("time_s", 4.15, "epochs[2].time_s: found 4.15 s, rank0.jsonl says 4.08 s"),
        ("test_accuracy", 0.5, "epochs[2].test_accuracy: found 0.5, rank0.jsonl says 0.8"),
    ],
)
def test_a_result_that_its_rank_files_contradict_is_not_used(tmp_path, field, value, problem):
    paths = make_study(tmp_path, **SMALL)
    path = paths.run(RUN).result
    result = read_model(path, Result)
    epochs = [one.model_copy(update={field: value}) if one.epoch == 2 else one for one in result.epochs]
    write_model(path, result.model_copy(update={"epochs": epochs}))
    data = report_data(collect(paths.results))
    row = next(row for row in data.runs if row.run == RUN)
    assert (row.outcome, row.reason) == ("missing", "result and rank files contradict each other")
    assert len(data.problems) == 1
    assert data.problems[0].startswith(f"runs/{RUN}/result.json: {problem}")


def test_of_an_epoch_that_was_trained_twice_the_last_time_counts(tmp_path):
    """Killed after an epoch and before its checkpoint: the epoch is trained again and written again."""
    paths = make_study(tmp_path, **SMALL)
    for rank in (0, 1):
        file = paths.run(RUN).events(rank)
        lines = file.read_text().splitlines(keepends=True)
        first = [moved(one, -100) for one in [*lines[:3], with_value(lines, 3, 4, "7.5")[3]]]
        resume = {"event": "resume", "time": json.loads(lines[0])["time"] + 1, "epoch": 1, "step": 0}
        file.write_text("".join([*first, lines[0], json.dumps(resume) + "\n", *lines[3:]]))
    data = report_data(collect(paths.results))
    row = next(row for row in data.runs if row.run == RUN)
    assert (row.outcome, row.reason) == ("completed", "")
    assert not any("result.json" in one for one in data.problems)


def test_a_pipe_and_a_huge_file_are_named_and_not_read(tmp_path):
    paths = make_study(tmp_path, **SMALL)
    first, second = (paths.run(RUN).events(rank) for rank in (0, 1))
    first.unlink()
    os.mkfifo(first)
    with second.open("ab") as stream:
        stream.truncate(16_000_001)
    other = paths.run(RUN.replace("seed1", "seed0")).result
    other.unlink()
    os.mkfifo(other)
    data = report_data(collect(paths.results))
    assert data.problems == [
        f"runs/{RUN.replace('seed1', 'seed0')}/result.json: is no regular file",
        f"runs/{RUN}/ranks/rank0.jsonl: is no regular file",
        f"{WHERE}: is too large: 16 MB, at most 16",
    ]
    assert next(row for row in data.runs if row.run == RUN).flaw == "rank file unreadable"


def test_every_file_of_a_run_that_was_taken_up_again_is_read_and_parsed_once(tmp_path, monkeypatch):
    paths = make_study(tmp_path, **SMALL, seeds=(1,))
    run = next(run for run in read_model(paths.study, Study).runs if run.id == RUN)
    for rank in (0, 1):
        file = paths.run(RUN).events(rank)
        lines = file.read_text().splitlines(keepends=True)
        again = taken_up(lines[0], 2 if rank else 1)
        kept = lines[5:] if rank else lines[3:]  # the checkpoint was not yet that of all ranks
        file.write_text("".join([*lines[:5], *again, *(moved(line, 2e6) for line in kept)]))
    parsed, loads = [], json.loads
    monkeypatch.setattr("scalestudy.records.events.json.loads", lambda text: parsed.append(text) or loads(text))
    check = check_ranks(paths.run(RUN), Planned.of(run), read_model(paths.run(RUN).result, Result).epochs)
    assert check == RankCheck()
    assert len(parsed) == 18 + 16


def test_a_run_trained_anew_with_another_specification_has_nothing_wrong(tmp_path):
    """Its ranks append to the files that are there."""
    paths = make_study(tmp_path, **SMALL)
    for rank in (0, 1):
        file = paths.run(RUN).events(rank)
        lines = file.read_text().splitlines(keepends=True)
        before = [with_values(moved(line, -1e6), digest="another", time_s=60.0) for line in lines[:7]]
        file.write_text("".join([*before, *lines]))
    assert report_data(collect(paths.results)).problems == []


def test_a_missing_and_a_surplus_rank_file_are_named(tmp_path):
    paths = make_study(tmp_path, **SMALL)
    paths.run(RUN).events(1).rename(paths.run(RUN).events(7))
    data = report_data(collect(paths.results))
    assert data.problems == [
        f"{WHERE}: is missing; the run has 2 ranks",
        f"runs/{RUN}/ranks/rank7.jsonl: is of no rank of this run, which has 2",
    ]
    assert next(row for row in data.runs if row.run == RUN).flaw == "rank file missing; foreign rank file"


def test_a_record_of_another_schema_is_named_beside_those_of_this_one(tmp_path):
    paths = make_study(tmp_path, **SMALL)
    result = paths.run(RUN).result
    result.write_text(result.read_text().replace('"schema_version": 1', '"schema_version": 2', 1))
    data = report_data(collect(paths.results))
    assert data.problems == [f"runs/{RUN}/result.json: schema_version: found 2; this version of scalestudy reads 1"]
    assert (data.counts.completed, data.counts.missing) == (5, 1)


@pytest.mark.parametrize(
    ("change", "flaw"),
    [
        (lambda epochs: [epochs[0], epochs[2], epochs[1], *epochs[3:]], "holds its epochs as 0, 2, 1, 3, 4, 5, not in"),
        (lambda epochs: [epochs[0], *epochs[:1], *epochs[2:]], "holds its epochs as 0, 0, 2, 3, 4, 5, not in order"),
        (
            lambda epochs: [e.model_copy(update={"test_accuracy": 90.0}) for e in epochs],
            "holds a test accuracy that is",
        ),
        (lambda epochs: [e.model_copy(update={"images": 0}) for e in epochs], "holds an epoch without images or steps"),
    ],
)
def test_epochs_out_of_order_or_with_impossible_numbers_void_the_result(tmp_path, change, flaw):
    paths = make_study(tmp_path, **SMALL)
    path = paths.run(RUN).result
    result = read_model(path, Result)
    write_model(path, result.model_copy(update={"epochs": change(result.epochs)}))
    data = report_data(collect(paths.results))
    row = next(row for row in data.runs if row.run == RUN)
    assert row.outcome == "missing"
    assert row.reason.startswith(flaw)
    assert data.problems == [f"runs/{RUN}/result.json: {row.reason}"]


def test_a_wall_clock_that_went_back_costs_the_end_to_end_time_alone(tmp_path):
    paths = make_study(tmp_path, **SMALL)
    path = paths.run(RUN).result
    write_model(path, read_model(path, Result).model_copy(update={"total_s": 3.0}))
    data = report_data(collect(paths.results))
    row = next(row for row in data.runs if row.run == RUN)
    assert (row.total_s, row.epoch_time_s, row.flaw) == (None, pytest.approx(4.08), "clock jumps")
    assert "less than the" in data.problems[0]
    assert [(one.run, one.excluded_from) for one in data.exclusions] == [(RUN, "end-to-end speedup")]


def test_a_run_that_was_killed_and_taken_up_again_has_nothing_wrong(tmp_path):
    paths = make_study(tmp_path, **SMALL)
    log = lines_of(paths)
    again = [log[0].replace("1795", "1796", 1), '{"event": "resume", "time": 1796000000.5, "epoch": 2, "step": 0}\n']
    rest = [moved(line, 10**6) for line in log[5:]]
    paths.run(RUN).events(1).write_text("".join([*log[:5], *again, *rest]))
    assert report_data(collect(paths.results)).problems == []


def test_what_the_trainers_log_writes_needs_no_close_look(tmp_path):
    paths = make_study(tmp_path, **SMALL)
    run = next(run for run in read_model(paths.study, Study).runs if run.id == RUN)
    for rank in (0, 1):
        paths.run(RUN).events(rank).unlink()
        log = EventLog(paths.run(RUN).events(rank))
        log.write("start", run=run.id, digest=run.digest, rank=rank, ranks=2, host="n1", pid=1)
        for epoch in range(6):
            log.write("epoch", epoch=epoch, train_loss=0.5 / (epoch + 1), time_s=0.25)
            log.write("evaluation", epoch=epoch, test_loss=0.5, test_accuracy=0.8)
            if epoch < 5:
                log.write("checkpoint", epoch=epoch + 1, step=0)
        log.write("end", total_s=1.0)
        log.close()
    epochs = read_model(paths.run(RUN).result, Result).epochs
    epochs = [epoch.model_copy(update={"time_s": 0.25, "evaluation_s": 0.0, "test_accuracy": 0.8}) for epoch in epochs]
    assert check_ranks(paths.run(RUN), Planned.of(run), epochs) == RankCheck()
    assert PlainRanks(Planned.of(run), epochs).holds([paths.run(RUN).events(rank).read_bytes() for rank in (0, 1)])


def test_the_quick_look_passes_epochs_of_numbers_with_more_digits_than_others(tmp_path):
    paths = make_study(tmp_path, **SMALL, seeds=(1,), epochs=12)
    run = next(run for run in read_model(paths.study, Study).runs if run.id == RUN)
    epochs = read_model(paths.run(RUN).result, Result).epochs
    quick, contents = PlainRanks(Planned.of(run), epochs), [paths.run(RUN).events(rank).read_bytes() for rank in (0, 1)]
    quick.learn(contents[0])
    assert quick.holds(contents)
    for number in range(1, 12):
        other = contents[1].replace(b'"epoch": %d,' % number, b'"epoch": %d,' % (number - 1))
        assert not quick.holds([contents[0], other])


def test_a_result_of_short_epochs_that_no_rank_file_bears_out_is_marked(tmp_path):
    """Times of 40 ms, and the result says 20: no file has that."""
    paths = make_study(tmp_path, **SMALL)
    result = read_model(paths.run(RUN).result, Result)
    short = [epoch.model_copy(update={"time_s": epoch.time_s / 100}) for epoch in result.epochs]
    rewrite(paths.run(RUN), result.model_copy(update={"epochs": short, "phases": []}))
    assert collect(paths.results).problems == []
    shorter = [epoch.model_copy(update={"time_s": epoch.time_s - 0.0195}) for epoch in short]
    write_model(paths.run(RUN).result, result.model_copy(update={"epochs": shorter, "phases": []}))
    (problem,) = collect(paths.results).problems
    assert "epochs[0].time_s: found" in problem


@pytest.mark.parametrize("more_s", [0.01, 0.002, 0.0001])
def test_the_time_of_a_faster_rank_is_not_that_of_an_epoch(one_run, more_s):
    """To the quick look as to the close one, though both times have the same first decimals."""
    run, result = one_run
    epochs = [epoch.model_copy(update={"time_s": 0.0298}) for epoch in result.epochs]
    slower = [epoch.model_copy(update={"time_s": 0.0298 + more_s}) for epoch in result.epochs]
    contents = [
        event_lines(run, rank, result.model_copy(update={"epochs": times})).encode()
        for rank, times in enumerate((epochs, slower))
    ]
    quick, right = (PlainRanks(Planned.of(run), times) for times in (epochs, slower))
    quick.learn(contents[0])
    assert not quick.holds(contents)
    assert right.holds(contents)


VALUES = ["NaN", "Infinity", "1e999", "-1", "2.5", "1e-05", "true", "null", '"x"', "[" * 200_000, "1" * 5000, "9" * 400]


EDITS = ("cut", "drop line", "repeat line", "digit", "junk", "value", "clock", "point", "lost", "zero", "no text")


def with_value(lines, line, which, value):
    """The lines with one of the values of a line changed."""
    values = list(re.finditer(r": (\"[^\"]*\"|[0-9.]+)", lines[line]))
    begin, end = values[which % len(values)].span(1)
    return [*lines[:line], lines[line][:begin] + value + lines[line][end:], *lines[line + 1 :]]


@pytest.fixture(scope="module")
def one_run(tmp_path_factory):
    paths = make_study(tmp_path_factory.mktemp("one"), **SMALL, seeds=(1,))
    run = next(run for run in read_model(paths.study, Study).runs if run.id == RUN)
    return run, read_model(paths.run(RUN).result, Result)


@given(st.data())
@settings(max_examples=300)
def test_the_quick_look_passes_nothing_that_the_close_look_finds(one_run, data):
    run, result = one_run
    seed = data.draw(st.sampled_from([None, 1]))
    first, text = (event_lines(run, rank, result, seed and random.Random(seed + rank)) for rank in (0, 1))
    planned, quick = Planned.of(run), PlainRanks(Planned.of(run), result.epochs)
    quick.learn(first.encode())
    assert quick.holds([first.encode(), text.encode()])
    place = data.draw(st.integers(0, len(text) - 1))
    edit = data.draw(st.sampled_from(EDITS))
    value = data.draw(st.sampled_from(VALUES))
    jump_s = data.draw(st.sampled_from([-7200, -30, -3, -0.5, 0.5, 3, 30, 90, 7200]))
    lines = text.splitlines(keepends=True)
    line = data.draw(st.integers(0, len(lines) - 1))
    changed = {
        "cut": text[:place],
        "drop line": "".join(lines[:line] + lines[line + 1 :]),
        "repeat line": "".join([*lines[: line + 1], *lines[line:]]),
        "digit": text[:place] + ("7" if text[place].isdigit() else text[place]) + text[place + 1 :],
        "junk": text[:place] + "\x00" + text[place + 1 :],
        "value": "".join(with_value(lines, line, data.draw(st.integers(0, 9)), value)),
        "clock": "".join([*lines[:line], *(moved(one, jump_s) for one in lines[line:])]),
        "point": text[:place] + "." + text[place:],
        "lost": text[:place] + text[place + 1 :],
        "zero": text[:place] + "0" + text[place:],
        "no text": text[:place] + "\udcff" + text[place + 1 :],
    }[edit]
    contents = [first.encode(), changed.encode(errors="surrogateescape")]
    looks = [look_at(Path(f"rank{rank}"), text, rank, planned, result.epochs) for rank, text in enumerate(contents)]
    told = [RankEpochs.of("", lines) for lines, _ in looks]
    wrong = [*looks[0][1], *looks[1][1]] or contradiction(told, 2, result.epochs)
    assert not (wrong and quick.holds(contents)), (edit, place, line, wrong)


def test_the_quick_look_takes_the_timer_for_the_last_number_of_its_line_also_where_both_are_short(tmp_path):
    paths = make_study(tmp_path, workloads=1, strategies={"ddp": ("1x2",)}, seeds=(1,))
    run = next(run for run in read_model(paths.study, Study).runs if run.id == RUN)
    epochs = read_model(paths.run(RUN).result, Result).epochs
    path = paths.run(RUN).events(1)
    lines = path.read_text().splitlines(keepends=True)
    short = next(
        number for number, line in enumerate(lines) if re.search(r'0\.\d{6}, "time_s": \d\.\d\d\}$', line.rstrip())
    )
    path.write_text("".join([*lines[:short], *(moved(one, -3) for one in lines[short:])]))
    (problem,) = check_ranks(paths.run(RUN), Planned.of(run), epochs).problems
    assert "took 4.1 s by its timer and 1.1 s by the clock" in str(problem)


def test_an_unchanged_run_is_not_read_again_and_a_changed_one_is(tmp_path):
    paths = make_study(tmp_path, **SMALL)
    first = collect(paths.results)
    assert (first.read, collect(paths.results).read) == (6, 0)
    assert report_data(collect(paths.results)) == report_data(first)
    path = paths.run(RUN).result
    write_model(path, read_model(path, Result).model_copy(update={"resumed": 1}))
    again = collect(paths.results)
    assert again.read == 1
    assert next(run.row.resumed for run in again.runs if run.run.id == RUN) == 1


@pytest.mark.parametrize("damage", [b"", b"nonsense\n", b"\xff\xfe"])
def test_a_damaged_cache_is_not_believed(tmp_path, damage):
    paths = make_study(tmp_path, **SMALL)
    first = report_data(collect(paths.results))
    content = paths.collected.read_bytes()
    paths.collected.write_bytes(damage + content[:-100])
    again = collect(paths.results)
    assert again.read == 6
    assert report_data(again) == first


def test_a_run_with_something_wrong_is_read_again_until_it_is_whole(tmp_path):
    paths = make_study(tmp_path, **SMALL)
    lines = lines_of(paths)
    paths.run(RUN).events(1).write_text("".join(lines[:-1]))  # the rank has not written its last line yet
    assert len(collect(paths.results).problems) == 1
    paths.run(RUN).events(1).write_text("".join(lines))
    again = collect(paths.results)
    assert (again.read, again.problems) == (1, [])


def test_a_line_of_the_cache_that_was_changed_is_read_again(tmp_path):
    paths = make_study(tmp_path, **SMALL)
    first = report_data(collect(paths.results))
    lines = paths.collected.read_text().split("\n")
    lines[2] = lines[2][:-40]
    paths.collected.write_text("\n".join(lines))
    assert report_data(collect(paths.results)) == first


def test_many_runs_are_read_by_several_processes_to_the_same_end(tmp_path, monkeypatch):
    paths = make_study(tmp_path, **SMALL, seeds=tuple(range(101)), failures={RUN: "foreign_rank_lines"})
    many = collect(paths.results)
    assert many.read == 202
    paths.collected.unlink()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    alone = collect(paths.results)
    assert report_data(alone) == report_data(many)
    assert many.problems == [f"runs/{RUN}/ranks/rank0.jsonl:15: is not an event line (and 1 more)"]


def realistic(folder, runs=6):
    """Runs of 64 ranks, of which each has its own times, process and host, and those runs as planned."""
    paths = make_study(folder, workloads=1, strategies={"ddp": ("4x16",)}, seeds=range(runs), base=False, epochs=10)
    planned = read_model(paths.study, Study).runs
    for run in planned:
        result = read_model(paths.run(run.id).result, Result)
        for rank in range(run.processes):
            paths.run(run.id).events(rank).write_text(event_lines(run, rank, result, random.Random(f"{run.id}{rank}")))
    return paths, [replace(Planned.of(run), text=model_text(run)) for run in planned]


def test_of_runs_that_differ_as_real_ones_do_only_the_first_is_looked_at_closely(tmp_path, monkeypatch):
    paths, planned = realistic(tmp_path)
    looked = []
    monkeypatch.setattr(rank_files, "look_at", lambda path, *rest: looked.append(path) or look_at(path, *rest))
    monkeypatch.setattr(plain_ranks, "_PATTERNS", {})
    entries = read_entries(paths.results / "runs", planned)
    assert looked == [paths.run(planned[0].id).events(rank) for rank in range(64)]
    assert all(entry.stamp for _, entry in entries)  # nothing is wrong


def test_a_run_is_read_in_little_more_time_than_its_files_take(tmp_path):
    """A study of 10,000 runs may take 20 s; measured was once the time of reading the files, and five times it before
    the looks at them were taken for all ranks at once."""
    paths, planned = realistic(tmp_path)
    files = sorted(paths.results.glob("runs/*/*/*/*/ranks/*.jsonl"))
    assert len(files) == 64 * len(planned)

    def cpu_s(work):
        begin = time.process_time()
        work()
        return time.process_time() - begin

    pairs = [
        (
            cpu_s(lambda: read_entries(paths.results / "runs", planned)),
            cpu_s(lambda: [Path(file).read_bytes() for file in files]),
        )
        for _ in range(6)
    ]
    assert min(own for own, _ in pairs) < 3 * min(plain for _, plain in pairs)


def test_lines_that_moved_from_one_file_to_the_end_of_the_one_before_are_found(tmp_path):
    paths = make_study(tmp_path, **SMALL)
    first, second = (paths.run(RUN).events(rank) for rank in (0, 1))
    start, *lines = second.read_text().splitlines(keepends=True)
    first.write_text(first.read_text() + "".join(lines[:2]))
    second.write_text(start + "".join(lines[2:]))
    row = next(run.row for run in collect(paths.results).runs if run.run.id == RUN)
    assert row.flaw
