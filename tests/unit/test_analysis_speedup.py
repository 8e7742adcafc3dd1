"""Known times come back as exactly the speedups, phases and accuracies that made them."""

import pytest
from synthetic_study import SERIAL_SHARE, make_study, parity_rows, rewrite

from scalestudy.analysis.analyze import report_data
from scalestudy.analysis.collect import collect
from scalestudy.analysis.methods import LAW_FIT, METHODS
from scalestudy.analysis.statistics import (
    BOOTSTRAP_MEDIANS,
    BOOTSTRAP_T,
    LOG_T,
    ORDER_STATISTICS,
    WELCH,
    WELCH_LOG,
    T,
)
from scalestudy.records.files import read_model, write_model
from scalestudy.records.parity import Parity
from scalestudy.records.result import Result

DDP = {"ddp": ("1x2", "2x2")}


def report(folder, **settings):
    return report_data(collect(make_study(folder, **{"workloads": 1, "strategies": DDP, **settings}).results))


def cell(rows, strategy="ddp", devices=2, scaling="epoch"):
    return next(row for row in rows if (row.strategy, row.devices, row.scaling) == (strategy, devices, scaling))


def slow_down(run, factor):
    """The run took so many times as long."""
    found = read_model(run.result, Result)
    epochs = [epoch.model_copy(update={"time_s": factor * epoch.time_s}) for epoch in found.epochs]
    slower = ("time_s", "data", "forward", "backward", "communication", "waiting", "optimizer", "other")
    phases = [
        device.model_copy(update={name: factor * getattr(device, name) for name in slower}) for device in found.phases
    ]
    rewrite(run, found.model_copy(update={"epochs": epochs, "phases": phases, "total_s": factor * found.total_s}))


def test_the_interval_of_a_mean_time_ends_at_zero_where_one_run_was_slow(tmp_path):
    paths = make_study(tmp_path, workloads=1, strategies=DDP)
    slow_down(paths.run("mnist/epoch/ddp-2x2/seed0"), 10.0)
    row = cell(report_data(collect(paths.results)).speedup, devices=4)
    assert row.mean_low_s == 0.0
    assert row.mean_method == T
    assert row.mean_high_s > 2 * row.mean_s


def test_known_speedups_are_recovered_exactly(tmp_path):
    data = report(tmp_path, speedups={("ddp", "1x2"): 1.6, ("ddp", "2x2"): 2.5}, noise=0)
    for devices, speedup in ((2, 1.6), (4, 2.5)):
        row = cell(data.speedup, devices=devices)
        assert row.speedup == pytest.approx(speedup, rel=1e-12)
        assert row.efficiency == pytest.approx(speedup / devices, rel=1e-12)
        assert row.time_s == pytest.approx(8 / speedup, rel=1e-12)
        assert row.base_time_s == 8.0
        assert row.images_per_s == pytest.approx(6000 * speedup / 8, rel=1e-12)
        assert row.device_time_s == pytest.approx(8 / speedup * devices, rel=1e-12)
        assert row.note == ""


def test_noise_moves_the_interval_and_not_the_median(tmp_path):
    row = cell(report(tmp_path, speedups={("ddp", "1x2"): 1.6}, noise=0.02).speedup)
    assert row.speedup == pytest.approx(1.6, rel=1e-12)
    assert row.speedup_low < 1.6 < row.speedup_high
    assert (row.efficiency_low, row.efficiency_high) == (row.speedup_low / 2, row.speedup_high / 2)
    assert row.speedup_method == "Welch t-interval on logarithms"


def test_the_base_has_speedup_one_without_interval(tmp_path):
    row = cell(report(tmp_path).speedup, "serial", 1)
    assert (row.speedup, row.efficiency, row.speedup_low, row.note) == (1.0, 1.0, None, "base")


def test_weak_scaling_has_its_own_base_and_a_scaled_speedup(tmp_path):
    data = report(tmp_path, scalings=("epoch", "weak"), speedups={("ddp", "2x2"): 3.0}, noise=0)
    row = cell(data.speedup, devices=4, scaling="weak")
    assert row.base_time_s == 8.0
    assert row.time_s == pytest.approx(4 * 8 / 3)
    assert (row.speedup, row.efficiency) == (pytest.approx(3.0), pytest.approx(0.75))
    assert row.images_per_s == pytest.approx(4 * 1600 / row.time_s)
    whole = 4.0 + 6 * 0.125  # start-up and evaluation
    base_total, total = whole + 8 * 6.3, whole + 8 * 6.3 * 4 / 3
    assert row.end_to_end_speedup == pytest.approx(4 * base_total / total)


@pytest.mark.parametrize("scalings", [("epoch", "strong"), ("strong", "epoch")])
def test_strong_and_epoch_scaling_share_one_base(tmp_path, scalings):
    data = report(tmp_path, scalings=scalings, noise=0)
    assert [row.scaling for row in data.speedup if row.strategy == "serial"] == [scalings[0]]
    assert cell(data.speedup, scaling=scalings[1]).speedup == pytest.approx(2 / 1.02)
    assert cell(data.accuracy, scaling=scalings[1]).verdict == "equivalent"


def test_end_to_end_speedup_counts_startup_and_evaluation_and_no_resumed_run(tmp_path):
    data = report(tmp_path, noise=0, speedups={("ddp", "1x2"): 2.0}, resumed={"mnist/epoch/ddp-1x2/seed0": 1})
    whole = 4.0 + 6 * 0.125
    row = cell(data.speedup)
    assert row.end_to_end_speedup == pytest.approx((whole + 8 * 6.3) / (whole + 4 * 6.3))
    assert (row.end_to_end_low, row.end_to_end_high) == (None, None)  # two runs are left
    noisy = cell(report(tmp_path).speedup)
    assert noisy.end_to_end_low < noisy.end_to_end_speedup < noisy.end_to_end_high
    every_seed = {f"mnist/epoch/ddp-1x2/seed{seed}": 1 for seed in range(3)}
    row = cell(report(tmp_path, resumed=every_seed).speedup)
    assert (row.end_to_end_speedup, row.total_s) == (None, None)
    assert row.speedup is not None


@pytest.mark.parametrize(
    ("settings", "note"),
    [
        ({"base": False}, "no base: no serial cell is planned"),
        (
            {"failures": {f"mnist/epoch/serial-1x1/seed{seed}": "failed" for seed in range(3)}},
            "no base: no serial run completed",
        ),
        ({"parity": ("ddp",)}, "fails the parity check"),
        ({"oversubscribed_above": 1}, "more devices than cores: correctness only"),
        ({"failures": {f"mnist/epoch/ddp-1x2/seed{seed}": "truncated" for seed in range(3)}}, "no completed run"),
    ],
)
def test_without_a_comparable_base_or_cell_there_is_no_speedup_and_the_note_says_why(tmp_path, settings, note):
    data = report(tmp_path, **settings)
    row = cell(data.speedup)
    assert row.note == note
    numbers = (row.speedup, row.speedup_low, row.efficiency, row.efficiency_low, row.end_to_end_speedup)
    assert numbers == (None,) * 5
    assert not row.fastest
    assert all(phase.price is None for phase in data.phases if (phase.strategy, phase.devices) == ("ddp", 2))
    assert not any(s.rule == "R2" and "DDP, 2 " in s.text for s in data.sentences)


@pytest.mark.parametrize(("failed_on", "marked"), [("mnist", ["mnist"]), ("tiny net", ["mnist", "cifar"])])
def test_a_failed_check_marks_its_workload_and_one_on_another_model_marks_all(tmp_path, failed_on, marked):
    paths = make_study(tmp_path, strategies=DDP)
    write_model(paths.parity, Parity(rows=parity_rows([failed_on], DDP, ("ddp",))))
    rows = report_data(collect(paths.results)).speedup
    assert list(dict.fromkeys(row.workload for row in rows if row.note == "fails the parity check")) == marked
    assert {row.strategy for row in rows if row.note == "fails the parity check"} == {"ddp"}


def test_an_oversubscribed_cell_keeps_its_accuracy(tmp_path):
    data = report(tmp_path, oversubscribed_above=2)
    assert cell(data.speedup, devices=2).speedup is not None
    assert cell(data.speedup, devices=4).speedup is None
    assert cell(data.accuracy, devices=4).verdict == "equivalent"
    assert data.counts.oversubscribed == 3


def test_a_failed_run_enters_no_number_and_is_counted(tmp_path):
    data = report(tmp_path, failures={"mnist/epoch/ddp-1x2/seed2": "failed"}, noise=0)
    row = cell(data.speedup)
    assert (row.n, row.speedup_low, row.note) == (2, None, "no interval: the cell has fewer than 3 completed runs")
    assert row.speedup == pytest.approx(2 / 1.02)
    assert (data.counts.planned, data.counts.completed, data.counts.failed) == (9, 8, 1)
    assert cell(data.accuracy).verdict == "not computed"


def test_a_single_seed_has_numbers_and_no_interval_anywhere(tmp_path):
    data = report(tmp_path, seeds=(5,), scalings=("epoch", "weak"))
    assert all(row.time_low_s is None and row.speedup_low is None for row in data.speedup)
    assert all(row.verdict in ("baseline", "not computed") and row.accuracy_sd is None for row in data.accuracy)
    assert data.methods == []
    assert not any("CI" in sentence.text for sentence in data.sentences)
    assert any(s.rule == "R2" and "no interval" in s.text for s in data.sentences)


def test_the_fastest_is_marked_once_per_workload_and_scaling(tmp_path):
    data = report(tmp_path, scalings=("epoch", "weak"), workloads=2)
    assert [(row.workload, row.scaling, row.devices) for row in data.speedup if row.fastest] == [
        (workload, scaling, 4) for workload in ("mnist", "cifar") for scaling in ("epoch", "weak")
    ]
    slow = report(tmp_path, speedups={("ddp", "1x2"): 0.5, ("ddp", "2x2"): 0.4}, noise=0)
    assert [row.strategy for row in slow.speedup if row.fastest] == ["serial"]


@pytest.mark.parametrize("scaling", ["epoch", "weak"])
def test_phases_are_device_seconds_per_epoch_with_their_price(tmp_path, scaling):
    data = report(tmp_path, scalings=(scaling,), noise=0)
    row = cell(data.phases, devices=4, scaling=scaling)
    price = 1 + SERIAL_SHARE["ddp"] * 3
    work = 8.0 * (4 if scaling == "weak" else 1)
    assert row.total_s == pytest.approx(work * price)
    assert (row.price, row.price_low, row.price_high) == pytest.approx((price, price, price))
    assert row.forward_s == pytest.approx(0.3 * work)
    assert row.communication_s == pytest.approx(0.8 * work * (price - 1))
    assert row.host_to_device_s is None
    parts = (row.data_s, row.forward_s, row.backward_s, row.communication_s, row.waiting_s, row.optimizer_s)
    assert sum(parts) == pytest.approx(row.total_s)


@pytest.mark.parametrize("scaling", ["epoch", "weak"])
def test_the_price_is_the_total_over_the_bases_and_devices_over_the_speedup_though_one_run_was_slow(tmp_path, scaling):
    paths = make_study(tmp_path, workloads=1, strategies=DDP, scalings=(scaling,))
    for seed, factor in ((0, 3.0), (1, 1.2)):
        slow_down(paths.run(f"mnist/{scaling}/ddp-2x2/seed{seed}"), factor)
    data = report_data(collect(paths.results))
    assert data.problems == []
    timed, row = (cell(rows, devices=4, scaling=scaling) for rows in (data.speedup, data.phases))
    base = cell(data.phases, "serial", 1, scaling)
    assert row.total_s == pytest.approx(timed.device_time_s)
    assert row.price == pytest.approx(row.total_s / base.total_s / (4 if scaling == "weak" else 1))
    ends = (row.price, row.price_low, row.price_high)
    assert ends == pytest.approx((4 / timed.speedup, 4 / timed.speedup_high, 4 / timed.speedup_low))
    parts = (row.data_s, row.forward_s, row.backward_s, row.communication_s, row.waiting_s, row.optimizer_s)
    assert sum(parts) == pytest.approx(row.total_s)


def test_phases_that_do_not_add_up_mark_the_run_and_are_in_no_number(tmp_path):
    paths = make_study(tmp_path, workloads=1, strategies=DDP, noise=0)
    result = paths.run("mnist/epoch/ddp-1x2/seed0").result
    result.write_text(result.read_text().replace('"forward": 6.0', '"forward": 6.5'))
    data = report_data(collect(paths.results))
    (problem,) = data.problems
    assert problem.endswith("result.json: phases[0] add up to 20.9 s, its time_s is 20.4 s; this part is not used")
    assert [run.run for run in data.runs if run.flaw] == ["mnist/epoch/ddp-1x2/seed0"]
    assert data.counts.flawed == 1
    assert [row.n for row in data.phases if (row.strategy, row.devices) == ("ddp", 2)] == [2]


def test_unmeasured_phases_leave_no_row_and_no_sentence(tmp_path):
    data = report(tmp_path, phases=False)
    assert data.phases == []
    assert not any(sentence.rule == "R6" for sentence in data.sentences)


def test_accuracies_are_judged_against_the_margin(tmp_path):
    data = report(tmp_path, strategies={"ddp": ("1x2",), "hybrid": ("1x2",)}, accuracies={"hybrid": 0.88}, noise=0.01)
    assert cell(data.accuracy, "serial", 1).verdict == "baseline"
    assert cell(data.accuracy, "ddp").verdict == "equivalent"
    hybrid = cell(data.accuracy, "hybrid")
    assert hybrid.verdict == "not shown"
    assert hybrid.difference == pytest.approx(-0.02)
    assert hybrid.difference_low < -0.02 < hybrid.difference_high


def test_curves_are_median_and_range_over_the_seeds(tmp_path):
    row = cell(report(tmp_path).curves)
    assert row.n == 3
    assert row.train_loss[0] == pytest.approx(2.0 * 1.01 + 0.1)
    assert (row.low[0], row.high[0]) == (pytest.approx(2.1), pytest.approx(2.14))
    assert len(row.train_loss) == len(row.low) == len(row.high) == 6


def test_workload_facts_say_what_was_trained_and_that_data_is_synthetic(tmp_path):
    real, made = report(tmp_path, workloads=2, noise=0).workloads
    assert (real.title, real.data_synthetic) == ("MNIST CNN (Fashion-MNIST, subset)", False)
    assert (made.title, made.data_synthetic) == ("CIFAR CNN (synthetic data)", True)
    assert (real.train_images, real.base_time_s, real.base_images_per_s) == (6000, 8.0, 750.0)
    assert (real.optimizer, made.optimizer) == (
        "Adam, learning rate 0.01, the same for every batch",
        "SGD, learning rate 0.01, the same for every batch, momentum 0.9",
    )


def test_a_study_without_results_still_names_its_training_images(tmp_path):
    ids = [f"{name}/epoch/serial-1x1/seed0" for name in ("mnist", "cifar")]
    data = report(tmp_path, workloads=2, strategies={}, seeds=(0,), failures=dict.fromkeys(ids, "missing"))
    assert [(facts.train_images, facts.parameters) for facts in data.workloads] == [(6000, 0), (6400, 0)]


def test_the_methods_named_are_those_of_the_intervals_that_the_report_prints(tmp_path):
    few = (LOG_T, T, WELCH_LOG, WELCH)
    assert report(tmp_path).methods == [METHODS[name] for name in few]
    more = report(tmp_path / "more", strategies={"ddp": ("1x2", "1x4", "1x8")}, seeds=range(6))
    many = (ORDER_STATISTICS, BOOTSTRAP_T, BOOTSTRAP_MEDIANS, LAW_FIT, WELCH)
    assert more.methods == [METHODS[name] for name in many]
    assert "mean epoch time" in METHODS[T].quantity
    assert "mean epoch time" in METHODS[BOOTSTRAP_T].quantity
