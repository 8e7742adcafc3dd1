"""Ceilings and links from probe files with exactly known numbers."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic_study import make_study

from scalestudy.analysis.analyze import analyze
from scalestudy.analysis.links import alpha_beta, fit_links
from scalestudy.analysis.probes import probe_facts
from scalestudy.records.files import read_model, write_model
from scalestudy.records.paths import StudyPaths
from scalestudy.records.probe import AllReduce, Probe, Throughput
from scalestudy.records.report import ProbeFacts
from scalestudy.records.result import CommunicationCost, Result
from scalestudy.spec.probing import probings
from scalestudy.spec.run import Study

SIZES = (4, 1 << 10, 1 << 16, 1 << 20, 1 << 24)
Changes = dict[str, object]
NOISE = (0.99, 1.0, 1.01, 0.995, 1.005)


def all_reduce(alpha: float, beta: float, factors: tuple[float, ...] = (1.0,) * 3) -> list[AllReduce]:
    return [
        AllReduce(group="all", ranks=2, bytes=size, time_s=[(alpha + beta * size) * factor for factor in factors])
        for size in SIZES
    ]


def training(alone_s: float, together_s: float, workload: str = "mnist", batch_size: int = 64) -> Throughput:
    return Throughput(
        work="training", workload=workload, batch_size=batch_size, alone_batch_size=64, amount=640, alone_amount=640,
        alone_s=[alone_s * factor for factor in NOISE],
        together_s=[[together_s * factor, 0.9 * together_s * factor] for factor in NOISE],
    )  # fmt: skip


def probe(throughput: list[Throughput], reduces: list[AllReduce] | None = None) -> Probe:
    return Probe(
        nodes=1, devices_per_node=2, device="cpu", cores_per_device=1, backend="gloo", throughput=throughput,
        all_reduce=reduces or [],
    )  # fmt: skip


@given(st.floats(1e-6, 1e-2), st.floats(1e-11, 1e-7))
def test_a_fit_finds_latency_and_time_per_byte(alpha: float, beta: float) -> None:
    found = alpha_beta(SIZES, [alpha + beta * size for size in SIZES])
    assert found.tolist() == [pytest.approx(alpha, rel=1e-6), pytest.approx(beta, rel=1e-6)]


@given(st.lists(st.floats(1e-5, 1.0), min_size=len(SIZES), max_size=len(SIZES)))
def test_a_fit_is_the_least_squares_without_negative_parameters(times_s: list[float]) -> None:
    from scipy.optimize import nnls

    weights = 1 / np.array(times_s)
    scale = max(SIZES)
    expected = nnls(np.stack([weights, np.array(SIZES) / scale * weights], axis=1), np.ones(len(SIZES)))[0]
    alpha, beta = alpha_beta(SIZES, times_s).tolist()
    assert [alpha, beta * scale] == pytest.approx(expected.tolist(), rel=1e-6, abs=1e-12)


def test_intervals_hold_the_truth_and_shrink_to_it_without_noise() -> None:
    exact = next(iter(fit_links(probe([], all_reduce(1e-4, 1e-9))))).row
    assert exact.alpha_low_s == pytest.approx(exact.alpha_high_s) == pytest.approx(1e-4)
    assert exact.largest_error < 1e-9
    noisy = next(iter(fit_links(probe([], all_reduce(1e-4, 1e-9, NOISE))))).row
    assert noisy.alpha_low_s < 1e-4 < noisy.alpha_high_s
    assert noisy.beta_low_s_per_byte < 1e-9 < noisy.beta_high_s_per_byte
    assert (noisy.sizes, noisy.repeats) == (5, 5)


def test_neither_latency_nor_bandwidth_is_ever_negative() -> None:
    alpha, beta = alpha_beta(SIZES, [5e-3, 4e-3, 3e-3, 2e-3, 1e-3])
    assert alpha > 0
    assert beta == 0


def test_too_few_sizes_are_not_fitted() -> None:
    assert list(fit_links(probe([], all_reduce(1e-4, 1e-9)[:2]))) == []


def test_a_ceiling_is_the_work_of_all_devices_over_the_slowest_ones_time() -> None:
    row = probe_facts([probe([training(1.0, 1.25)])]).ceilings[0]
    assert row.alone == pytest.approx(640)
    assert row.together == pytest.approx(2 * 640 / 1.25)
    assert row.speedup == pytest.approx(1.6)
    assert row.speedup_low is not None
    assert row.speedup_low < 1.6 < (row.speedup_high or 0)
    assert (row.n, row.unit, row.devices) == (5, "images", 2)


def study_with_probe(folder: Path, content: Probe) -> StudyPaths:
    paths = make_study(folder, workloads=1, strategies={"ddp": ("1x2",)}, noise=0)
    write_model(paths.probe("1x2"), content)
    return paths


def test_speedups_stand_beside_the_ceiling_of_their_layout(tmp_path: Path) -> None:
    data = analyze(study_with_probe(tmp_path, probe([training(1.0, 1.25)])).results)
    serial, ddp = data.speedup
    assert serial.ceiling_speedup is None
    assert ddp.ceiling_speedup == pytest.approx(1.6)
    assert ddp.of_ceiling == pytest.approx((ddp.speedup or 0) / 1.6)
    assert (ddp.speedup_low, ddp.speedup_high) == pytest.approx((ddp.speedup, ddp.speedup))  # no noise in this study
    assert ddp.of_ceiling_low == pytest.approx((ddp.speedup or 0) / (ddp.ceiling_high or 0))
    assert ddp.of_ceiling_high == pytest.approx((ddp.speedup or 0) / (ddp.ceiling_low or 0))
    assert data.efficiencies[1].ceiling == pytest.approx(0.8)


def test_where_a_batch_does_not_divide_the_ceiling_is_that_of_its_images(tmp_path: Path) -> None:
    """64 images on 3 devices: each device of the probe trains with 22, which makes 66."""
    paths = make_study(tmp_path, workloads=1, scalings=("strong",), strategies={"ddp": ("1x3",)}, noise=0)
    found = probe([training(1.0, 1.0, batch_size=22)]).model_copy(update={"devices_per_node": 3})
    found.throughput[0].together_s[:] = [[time_s] * 3 for (time_s, *_) in found.throughput[0].together_s]
    write_model(paths.probe("1x3"), found)
    data = analyze(paths.results)
    assert data.probe.ceilings[0].speedup == pytest.approx(3)
    assert data.speedup[1].ceiling_speedup == pytest.approx(3 * 64 / 66)
    assert data.speedup[1].of_ceiling == pytest.approx((data.speedup[1].speedup or 0) / (3 * 64 / 66))


@pytest.mark.parametrize("other", [training(1, 1.25, workload="cifar"), training(1, 1.25, batch_size=32)])
def test_another_workload_or_batch_size_is_no_ceiling(other: Throughput, tmp_path: Path) -> None:
    data = analyze(study_with_probe(tmp_path, probe([other])).results)
    assert data.speedup[1].ceiling_speedup is None


def test_a_study_without_probes_has_none(tmp_path: Path) -> None:
    data = analyze(make_study(tmp_path, workloads=1, strategies={"ddp": ("1x2",)}).results)
    assert data.probe == ProbeFacts()


def test_a_damaged_probe_is_named_and_the_rest_stands(tmp_path: Path) -> None:
    paths = study_with_probe(tmp_path, probe([]))
    paths.probe("1x2").write_text("{")
    data = analyze(paths.results)
    assert any(line.startswith("probe/1x2.json: ") for line in data.problems)
    assert data.speedup[1].speedup is not None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"digest": "deadbeef"}, "belongs to another specification than this study's; it is not used"),
        ({"device": "cuda"}, "is of device cuda, and the study trains on cpu; it is not used"),
        ({"oversubscribed": True}, "has times of more devices than there are cores"),
    ],
)
def test_a_probe_that_is_not_of_the_study_is_named_and_left_out(tmp_path: Path, changes: Changes, words: str) -> None:
    whole = probe([training(1.0, 1.25)], all_reduce(1e-4, 1e-9))
    paths = study_with_probe(tmp_path, whole.model_copy(update=changes))
    data = analyze(paths.results)
    assert [line for line in data.problems if "probe" in line] == [
        line for line in data.problems if line.startswith(f"probe/1x2.json: {words}")
    ]
    assert (len(data.problems), data.probe) == (1, ProbeFacts())
    planned = probings(read_model(paths.study, Study))["1x2"]
    write_model(paths.probe("1x2"), whole.model_copy(update={"digest": planned.digest}))
    data = analyze(paths.results)
    assert (data.problems, len(data.probe.ceilings), len(data.probe.links)) == ([], 1, 1)


@pytest.mark.parametrize(
    ("part", "field", "value", "said"),
    [
        ("throughput", "together_s", [[1.1]] * 5, "together_s/devices: found 1"),
        ("throughput", "together_s", [[1.1, 1.1, 1.1]] * 5, "together_s/devices: found 3"),
        ("all_reduce", "ranks", 2000, "ranks: found 2000"),
        ("all_reduce", "group", "nodes", "ranks: found 2"),
    ],
)
def test_a_sample_of_other_devices_than_the_layouts_is_named_and_left_out(
    tmp_path: Path, part: str, field: str, value: object, said: str
) -> None:
    whole = probe([training(1.0, 1.25)], all_reduce(1e-4, 1e-9))
    samples = [sample.model_copy(update={field: value}) for sample in getattr(whole, part)]
    data = analyze(study_with_probe(tmp_path, whole.model_copy(update={part: samples})).results)
    assert data.problems[0] == f"probe/1x2.json: {part}[0].{said}, which cannot be; this part is not used"
    assert [data.probe.ceilings, data.probe.links][part == "all_reduce"] == []


def test_a_probe_that_others_disturbed_is_named(tmp_path: Path) -> None:
    for load, named in ((0.04, False), (0.2, True)):
        paths = study_with_probe(tmp_path / str(load), probe([]).model_copy(update={"foreign_load": load}))
        data = analyze(paths.results)
        assert data.probe.foreign_load == load
        assert any("probe/1x2.json: other programs took 20% of the machine" in one for one in data.problems) == named


def test_the_cost_of_communication_is_that_of_pairs(tmp_path: Path) -> None:
    paths = make_study(tmp_path, workloads=1, strategies={"ddp": ("1x2",)}, seeds=(0, 1, 2), noise=0)
    for seed, cost in enumerate((0.010, 0.012, 0.011)):
        path = paths.run(f"mnist/epoch/ddp-1x2/seed{seed}").result
        drifting = [0.05, 0.06 + 0.01 * (seed == 0), 0.08]
        measured = CommunicationCost(without="x", with_s=[s + cost for s in drifting], without_s=drifting)
        write_model(path, read_model(path, Result).model_copy(update={"communication_cost": measured}))
    row = analyze(paths.results).communication[0]
    assert row.cost_s == pytest.approx(0.011)
    assert row.cost_low_s is not None
    assert row.cost_low_s < 0.010 < 0.012 < (row.cost_high_s or 0)
    assert (row.n, row.pairs, row.reason) == (3, 9, "")
    with_s = (0.07 + 0.010 + 0.06 + 0.012 + 0.06 + 0.011) / 3
    assert row.with_s == pytest.approx(with_s)
    assert row.cost_share == pytest.approx(0.011 / with_s)  # of the summarized times, no summary of the runs' shares


def test_time_with_communication_less_that_without_is_the_cost_whatever_the_runs_are(tmp_path: Path) -> None:
    paths = make_study(tmp_path, workloads=1, strategies={"ddp": ("1x2",)}, seeds=(0, 1, 2), noise=0)
    turns = {0: ([0.073, 0.080, 0.072], [0.071, 0.060, 0.076]), 1: ([0.09] * 3, [0.05] * 3), 2: ([0.01, 0.2, 0.4],) * 2}
    for seed, (with_s, without_s) in turns.items():
        path = paths.run(f"mnist/epoch/ddp-1x2/seed{seed}").result
        measured = CommunicationCost(without="x", with_s=with_s, without_s=without_s)
        write_model(path, read_model(path, Result).model_copy(update={"communication_cost": measured}))
    row = analyze(paths.results).communication[0]
    assert row.cost_s == pytest.approx((0.002 + 0.04 + 0) / 3)
    assert row.with_s == pytest.approx((0.073 + 0.09 + 0.2) / 3)
    assert row.with_s - row.without_s == pytest.approx(row.cost_s)
    assert row.cost_share == pytest.approx(row.cost_s / row.with_s)


def test_a_study_of_an_earlier_version_says_that_the_cost_was_not_measured(tmp_path: Path) -> None:
    row = analyze(make_study(tmp_path, workloads=1, strategies={"ddp": ("1x2",)}).results).communication[0]
    assert row.cost_s is None
    assert row.reason == "cost: the runs did not measure it"


def test_intervals_of_latency_and_bandwidth_hold_the_truth_in_93_to_99_percent_of_probes() -> None:
    """Medians of few samples take few values, which makes their percentiles wide."""
    random = np.random.default_rng(5)
    held = []
    for _ in range(300):
        samples = [
            sample.model_copy(update={"time_s": (sample.time_s[0] * random.lognormal(0, 0.05, 9)).tolist()})
            for sample in all_reduce(1e-4, 1e-9)
        ]
        row = next(iter(fit_links(probe([], samples)))).row
        assert row.alpha_low_s is not None
        assert row.alpha_high_s is not None
        assert row.beta_low_s_per_byte is not None
        assert row.beta_high_s_per_byte is not None
        held.append(row.alpha_low_s <= 1e-4 <= row.alpha_high_s)
        held.append(row.beta_low_s_per_byte <= 1e-9 <= row.beta_high_s_per_byte)
    assert 0.93 <= np.mean(held) <= 0.99
