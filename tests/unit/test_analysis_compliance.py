"""The twelve rules are judged from the data: the same program gives other answers for other studies."""

import numpy as np
import pytest
from synthetic_study import make_study, rewrite

from scalestudy.analysis.analyze import report_data
from scalestudy.analysis.collect import collect
from scalestudy.analysis.compliance import compliance_rows
from scalestudy.records.files import read_model, write_model
from scalestudy.records.paths import RunPaths
from scalestudy.records.result import Result
from scalestudy.spec.run import Study

DDP = {"ddp": ("1x2", "1x4"), "hsdp": ("1x4",)}


def judged(folder, change=None, **settings):
    paths = make_study(folder, **{"workloads": 1, "strategies": DDP, **settings})
    if change:
        change(paths)
    rows = report_data(collect(paths.results)).compliance
    assert [row.rule for row in rows] == list(range(1, 13))
    return {row.rule: row for row in rows}


def test_a_whole_study_without_a_probe_keeps_all_rules_but_the_one_on_bounds(tmp_path):
    rows = judged(tmp_path, seeds=(0, 1, 2, 3, 4, 5))
    assert {number for number, row in rows.items() if row.satisfied != "yes"} == {11}
    assert rows[11].evidence.startswith("0 of 3 speedups stand beside the measured ceiling")


def test_two_runs_break_the_rules_on_intervals_and_comparisons(tmp_path):
    rows = judged(tmp_path, seeds=(0, 1))
    assert [rows[number].satisfied for number in (5, 7, 12)] == ["no"] * 3
    assert rows[5].evidence == "0 of 4 cells have a 95% interval of their time; the others have fewer than 3 runs."
    assert [rows[number].satisfied for number in (6, 8)] == ["not applicable"] * 2


def test_runs_that_disagree_on_the_commit_break_the_rule_on_the_setup(tmp_path):
    def change(paths):
        path = paths.run("mnist/epoch/ddp-1x2/seed1").result
        result = read_model(path, Result)
        other = result.provenance.model_copy(update={"commit": "0000000"})
        write_model(path, result.model_copy(update={"provenance": other}))

    row = judged(tmp_path, change)[9]
    assert (row.satisfied, "records disagree on Source commit" in row.evidence) == ("no", True)


def test_the_rule_on_ratios_counts_speedups_and_shares_and_says_how_factors_are_summarized(tmp_path):
    row = judged(tmp_path, costs_s={"ddp": 0.002})[4]
    assert row.satisfied == "yes"
    assert "5 of 5 speedups and shares of communication are the ratio of the two summarized times;" in row.evidence
    assert "efficiency factors are those of the run with the median time" in row.evidence
    assert "geometric" not in judged(tmp_path / "more", phases=False)[4].evidence


def test_a_share_that_is_no_ratio_of_summarized_times_breaks_the_rule_on_ratios(tmp_path):
    data = report_data(collect(make_study(tmp_path, workloads=1, strategies=DDP, costs_s={"ddp": 0.002}).results))
    costs = [row.model_copy(update={"cost_share": 0.5}) for row in data.communication]
    assert compliance_rows(data.model_copy(update={"communication": costs}), [])[3].satisfied == "no"


def test_a_study_without_parallel_cells_has_rules_that_do_not_apply(tmp_path):
    rows = judged(tmp_path, strategies={})
    assert {number for number, row in rows.items() if row.satisfied == "not applicable"} == {1, 4, 7, 11, 12}


def stretched(path, factor):
    """The result with all its epochs so many times as long."""
    result = read_model(path, Result)
    epochs = [epoch.model_copy(update={"time_s": epoch.time_s * factor}) for epoch in result.epochs]
    rewrite(RunPaths(path.parent), result.model_copy(update={"epochs": epochs, "total_s": 1e4}))


@pytest.mark.parametrize(("slow", "satisfied"), [(1.0, "yes"), (3.0, "no")])
def test_a_skewed_cell_whose_mean_lies_outside_the_interval_of_its_median_breaks_the_rule_on_averages(
    tmp_path, slow, satisfied
):
    def change(paths):
        stretched(paths.run("mnist/epoch/ddp-1x2/seed0").result, slow)

    row = judged(tmp_path, change, seeds=range(9))[8]
    assert row.satisfied == satisfied
    assert f"in {4 if satisfied == 'yes' else 3} of 4 cells" in row.evidence


@pytest.mark.parametrize(("heavy", "satisfied"), [(False, "yes"), (True, "no")])
def test_normality_of_logarithms_is_tested_and_heavy_tails_are_found(tmp_path, heavy, satisfied):
    random = np.random.default_rng(4)

    def change(paths):
        for run in read_model(paths.study, Study).runs:
            noise = random.standard_cauchy() if heavy else random.normal()
            stretched(paths.run(run.id).result, float(np.exp(0.01 * np.clip(noise, -60, 60))))

    row = judged(tmp_path, change, seeds=tuple(range(5)))[6]
    assert row.satisfied == satisfied
    assert "Shapiro-Wilk tests of 4 cells" in row.evidence


def with_accuracies(accuracy_of):
    """A change that gives the runs of a study these accuracies at their end, by strategy and seed."""

    def change(paths):
        for run in read_model(paths.study, Study).runs:
            own = paths.run(run.id)
            result = read_model(own.result, Result)
            last = result.epochs[-1].model_copy(update={"test_accuracy": accuracy_of(run.cell.strategy, run.seed)})
            rewrite(own, result.model_copy(update={"epochs": [*result.epochs[:-1], last]}))

    return change


NORMAL = (0.9, 0.902, 0.898, 0.901, 0.899, 0.9035, 0.8965)


@pytest.mark.parametrize(
    ("of_ddp", "satisfied", "said"),
    [
        (NORMAL, "yes", "tests of 4 cells, which share seeds, give p = 1, the smallest times their number."),
        ((*NORMAL[:-1], 0.5), "no", "tests of 4 cells, which share seeds, give p = 2.4e-05, the smallest"),
        ([0.9] * 7, "no", "tests of 2 cells, which share seeds, give p = 1, the smallest times their number; no test "
                          "tells of 2 cells whose runs all have one accuracy."),
    ],
)  # fmt: skip
def test_accuracies_are_tested_like_times_and_the_rule_on_normality_follows_from_both(
    tmp_path, of_ddp, satisfied, said
):
    change = with_accuracies(lambda strategy, seed: (of_ddp if strategy == "ddp" else NORMAL)[seed])
    row = judged(tmp_path, change, seeds=range(7))[6]
    assert row.satisfied == satisfied
    assert row.evidence.startswith("Every interval of a median rests on 6 runs or more. Intervals of differences of")
    assert said in row.evidence


def test_two_runs_with_as_many_images_right_do_not_speak_against_normal_accuracies(tmp_path):
    change = with_accuracies(lambda strategy, seed: 0.9 + 0.3 * 0.5**5 + 0.01 * (seed == 2))
    row = judged(tmp_path, change)[6]
    assert (row.satisfied, "tests of 4 cells, which share seeds" in row.evidence) == ("yes", True)


def test_without_an_interval_of_a_difference_no_accuracy_is_assumed_to_be_normal(tmp_path):
    assert "accuracies" not in judged(tmp_path, base=False)[6].evidence


def test_lost_runs_are_counted_with_their_reasons(tmp_path):
    failures = {"mnist/epoch/ddp-1x2/seed0": "failed"}
    for skipped, counted in ((["ddp 4x4: one node"], "1 combination"), (["a", "b"], "2 combinations")):
        row = judged(tmp_path / counted[0], failures=failures, skipped=skipped)[2]
        assert row.satisfied == "yes"
        assert row.evidence == (
            f"1 of 12 planned runs and {counted} are left out; the reason is given for 1 of these runs and for every "
            "combination."
        )
