"""Strategies on equal devices, equivalence with its margin, time to accuracy and epochs to it."""

import math

import numpy as np
import pytest
from synthetic_study import make_study, rewrite

from scalestudy.analysis.analyze import report_data
from scalestudy.analysis.collect import collect
from scalestudy.analysis.language import GERMAN
from scalestudy.analysis.methods import METHODS
from scalestudy.analysis.statistics import OPEN_ABOVE, ORDER_STATISTICS, ratio
from scalestudy.analysis.targets import times_to_target
from scalestudy.analysis.wording import Wording
from scalestudy.records.files import read_model, write_model
from scalestudy.records.result import Result
from scalestudy.spec.run import Study

STRATEGIES = {"ddp": ("1x2", "2x2"), "hybrid": ("2x2",), "hsdp": ("2x2",)}


def report(folder, change=None, **settings):
    paths = make_study(folder, **{"workloads": 1, "strategies": STRATEGIES, **settings})
    if change:
        change(paths)
    return report_data(collect(paths.results))


def with_accuracies(curves):
    """Sets the test accuracies of every run: by strategy, then by seed."""

    def change(paths):
        for run in read_model(paths.study, Study).runs:
            path = paths.run(run.id).result
            result = read_model(path, Result)
            curve = curves[run.cell.strategy][run.seed]
            pairs = zip(result.epochs, curve, strict=True)
            epochs = [epoch.model_copy(update={"test_accuracy": accuracy}) for epoch, accuracy in pairs]
            rewrite(paths.run(run.id), result.model_copy(update={"epochs": epochs}))

    return change


def test_every_two_strategies_on_equal_devices_are_compared_by_the_ratio_of_their_times(tmp_path):
    speedups = {("ddp", "2x2"): 3.0, ("hybrid", "2x2"): 2.4, ("hsdp", "2x2"): 2.4}
    rows = report(tmp_path, speedups=speedups, noise=0.01).comparisons
    pairs = {(row.strategy, row.other_strategy): row for row in rows}
    assert set(pairs) == {("ddp", "hybrid"), ("ddp", "hsdp"), ("hybrid", "hsdp")}
    assert {row.devices for row in rows} == {4}
    apart, equal = pairs[("ddp", "hybrid")], pairs[("hybrid", "hsdp")]
    assert (apart.ratio, apart.verdict) == (pytest.approx(0.8), "faster")
    assert (equal.ratio, equal.verdict) == (pytest.approx(1.0), "not separated")
    assert apart.low < 0.8 < apart.high < 1


def test_a_comparison_is_not_computed_from_two_runs_and_not_made_with_a_wrong_strategy(tmp_path):
    rows = report(tmp_path, seeds=(0, 1), parity=("hsdp",)).comparisons
    assert [(row.strategy, row.other_strategy, row.verdict) for row in rows] == [("ddp", "hybrid", "not computed")]


def test_equivalence_rows_hold_margin_interval_and_p_value_of_the_verdict(tmp_path):
    data = report(tmp_path, accuracies={"hybrid": 0.88})
    rows = {(row.strategy, row.devices): row for row in data.equivalence}
    assert {row.margin for row in rows.values()} == {0.01}
    same, other = rows[("ddp", 4)], rows[("hybrid", 4)]
    assert (same.verdict, other.verdict) == ("equivalent", "not shown")
    assert same.p_value < 0.05 < other.p_value
    assert other.difference == pytest.approx(-0.02)
    by_cell = {(row.strategy, row.devices): row.verdict for row in data.accuracy if row.strategy != "serial"}
    assert by_cell == {key: row.verdict for key, row in rows.items()}


CURVES = {
    "serial": [[0.5, 0.7, 0.8, 0.9, 0.9, 0.9]] * 3,
    "ddp": [[0.5, 0.6, 0.7, 0.8, 0.9, 0.9], [0.5, 0.6, 0.7, 0.8, 0.85, 0.9], [0.5, 0.6, 0.7, 0.8, 0.9, 0.9]],
    "hybrid": [[0.5] * 6, [0.5] * 5 + [0.9], [0.5] * 6],
    "hsdp": [[0.9] * 6] * 3,
}


def test_time_to_accuracy_counts_whole_epochs_from_the_first_and_training_alone(tmp_path):
    rows = {(row.strategy, row.devices): row for row in report(tmp_path, with_accuracies(CURVES), noise=0).targets}
    base, ddp, hybrid, hsdp = (rows[key] for key in (("serial", 1), ("ddp", 2), ("hybrid", 4), ("hsdp", 4)))
    assert base.target == pytest.approx(0.89)
    assert (base.epochs, base.time_s) == (4, pytest.approx(8 * (1.3 + 3)))
    assert (ddp.epochs, ddp.reached, ddp.global_batch) == (5, 3, 128)
    assert ddp.time_s == pytest.approx(8 * 1.02 / 2 * (1.3 + 4))
    assert ddp.speedup == pytest.approx(base.time_s / ddp.time_s)
    assert (hybrid.reached, hybrid.epochs, hybrid.time_s, hybrid.speedup) == (1, None, None, None)
    assert (hsdp.epochs, hsdp.time_low_s) == (1, pytest.approx(hsdp.time_s))


@pytest.mark.parametrize(
    ("failing", "ends", "median", "method"),
    [
        (0, (4, 4), 4, ORDER_STATISTICS),
        (1, (4, None), 4, OPEN_ABOVE),
        (3, (4, None), None, OPEN_ABOVE),
        (6, (None, None), None, ""),
    ],
)
def test_an_interval_that_ends_among_runs_that_never_reached_the_target_is_open_above_and_says_so(
    tmp_path, failing, ends, median, method
):
    """Of 6 runs the interval of order statistics goes from the first to the last."""
    reached, never = [0.5, 0.7, 0.8, 0.9, 0.9, 0.9], [0.5] * 6
    curves = {"serial": [reached] * 6, "ddp": [never] * failing + [reached] * (6 - failing)}
    data = report(tmp_path, with_accuracies(curves), strategies={"ddp": ("1x2",)}, seeds=range(6), noise=0)
    row = data.targets[1]
    assert (row.reached, row.epochs, row.method) == (6 - failing, median, method)
    assert (row.epochs_low, row.epochs_high) == ends
    own_s = 8 * 1.02 / 2 * (1.3 + 3)
    assert (row.time_low_s, row.time_high_s) == tuple(end and pytest.approx(own_s) for end in ends)
    pooled = next(row for row in data.epochs_to_target if row.global_batch == 128)
    assert (pooled.epochs_low, pooled.epochs_high, pooled.method) == (*ends, method)
    assert (METHODS.get(OPEN_ABOVE) in data.methods) == (method == OPEN_ABOVE)


def test_an_interval_that_is_open_above_holds_the_median_as_often_as_any_other():
    """Runs that would take longer than there are epochs count as never: 95 % and more, as the binomial level says."""
    random = np.random.default_rng(3)
    times = random.lognormal(0, 0.5, size=(4000, 9))
    found = [times_to_target([time if time < 1.3 else math.inf for time in study]) for study in times]
    held = [one.low <= 1 and (one.high is None or one.high >= 1) for one in found if one.low is not None]
    assert len(held) > 0.99 * len(found)
    assert np.mean([one.high is None for one in found]) > 0.5
    assert 0.95 <= np.mean(held) <= 0.985


def test_a_sentence_about_time_to_accuracy_says_that_an_interval_is_open_above():
    said = Wording().seconds_interval(12.0, 11.5, None)
    assert said == "95% CI 11.50 s or more"
    assert Wording(GERMAN).seconds_interval(12.0, 11.5, None) == "95-%-KI 11,50 s oder mehr"


def test_a_run_that_is_at_the_target_but_for_rounding_has_reached_it(tmp_path):
    """0.667 less the margin of a hundredth is 0.6570000000000001."""
    curves = {"serial": [[0.5, 0.6, 0.65, 0.667, 0.667, 0.667]] * 3, "ddp": [[0.5, 0.6, 0.657, 0.66, 0.667, 0.667]] * 3}
    data = report(tmp_path, with_accuracies(curves), strategies={"ddp": ("1x2",)}, noise=0)
    assert data.targets[1].target > 0.657
    assert data.targets[1].epochs == 3


def test_a_target_of_the_study_stands_in_for_that_of_the_base(tmp_path):
    def change(paths):
        with_accuracies(CURVES)(paths)
        write_model(paths.study, read_model(paths.study, Study).model_copy(update={"accuracy_target": 0.75}))

    rows = {(row.strategy, row.devices): row.epochs for row in report(tmp_path, change, noise=0).targets}
    assert (rows[("serial", 1)], rows[("ddp", 2)], rows[("hsdp", 4)]) == (3, 4, 1)


def test_cells_whose_time_may_stand_in_no_ratio_have_no_time_to_accuracy(tmp_path):
    wrong = report(tmp_path, with_accuracies(CURVES), parity=["hsdp"], oversubscribed_above=2)
    assert {(row.strategy, row.devices) for row in wrong.targets} == {("serial", 1), ("ddp", 2)}
    epochs = {row.global_batch: row.epochs for row in wrong.epochs_to_target}
    assert epochs[256] is None  # ddp needs 5, hybrid never gets there; the 1 of hsdp does not count


def test_epochs_to_the_target_pool_the_cells_of_one_global_batch_seed_by_seed(tmp_path):
    rows = {row.global_batch: row for row in report(tmp_path, with_accuracies(CURVES), noise=0).epochs_to_target}
    assert {batch: (row.n, row.reached, row.epochs) for batch, row in rows.items()} == {
        64: (3, 3, 4),  # serial
        128: (3, 3, 5),  # ddp on two devices
        256: (3, 3, 5),  # of ddp, hybrid and hsdp on four: median of 5, never, 1
    }


def test_a_ratio_at_a_higher_level_is_wider():
    plain, strict = ratio([1.0, 1.1, 1.2], [2.0, 2.1, 2.3]), ratio([1.0, 1.1, 1.2], [2.0, 2.1, 2.3], level=0.99)
    assert strict.low < plain.low < plain.high < strict.high
