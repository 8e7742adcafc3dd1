"""Efficiency factors: POP's own numbers, exactly known devices, and the identity with the measured speedup."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic_study import workload_of

from scalestudy.analysis.cells import CellRuns
from scalestudy.analysis.collect import CollectedRun
from scalestudy.analysis.efficiency import NO_PHASES, NOT_APART, efficiency_rows
from scalestudy.analysis.pop import DeviceTime, computation_scalability, factors
from scalestudy.analysis.speedup import speedup_rows
from scalestudy.records.report import EfficiencyRow, RunRow
from scalestudy.records.result import DevicePhases, Epoch, Result
from scalestudy.spec.run import Cell, Run


@dataclass(frozen=True)
class Published:
    """What POP's on-the-fly critical path tool printed of one run, and the factors that it computed from it."""

    processes: int
    average_s: float
    largest_s: float
    critical_s: float
    runtime_s: float
    load_balance: float
    communication: float
    serialization: float
    transfer: float
    parallel: float


# Outputs of OTF-CPT (RWTH Aachen, a tool of the POP Centre of Excellence) that stand beside its code,
# https://github.com/RWTH-HPC/OTF-CPT/tree/main/script/data: one program on 64 to 1024 processes.
PUBLISHED = [
    Published(64, 32.554688, 33.338641, 39.388323, 40.009749, 0.976485, 0.833263, 0.846409, 0.984468, 0.813669),
    Published(128, 13.426047, 14.003071, 18.433987, 19.656685, 0.958793, 0.712382, 0.759633, 0.937797, 0.683027),
    Published(256, 7.402236, 7.826016, 11.941295, 14.083169, 0.945850, 0.555700, 0.655374, 0.847913, 0.525609),
    Published(512, 4.234199, 4.605570, 8.514002, 13.792879, 0.919365, 0.333909, 0.540941, 0.617275, 0.306984),
    Published(1024, 2.769027, 3.137317, 7.168600, 17.400619, 0.882610, 0.180299, 0.437647, 0.411974, 0.159134),
]


def devices_of(run: Published) -> list[DeviceTime]:
    """Devices with this average and largest computing time; on the critical path the busiest waits for others."""
    others = (run.processes * run.average_s - run.largest_s) / (run.processes - 1)
    busiest = DeviceTime(run.largest_s, waiting=run.critical_s - run.largest_s)
    return [busiest, *[DeviceTime(others)] * (run.processes - 1)]


@pytest.mark.parametrize("run", PUBLISHED, ids=lambda run: str(run.processes))
def test_published_factors_of_pop_are_reproduced(run: Published) -> None:
    found = factors(devices_of(run), run.runtime_s)
    assert found.data_feeding == 1
    for name in ("load_balance", "communication", "serialization", "transfer", "parallel"):
        assert getattr(found, name) == pytest.approx(getattr(run, name), abs=2e-6), name


def test_computation_scalability_is_the_ratio_of_the_computing_times_added_up() -> None:
    """POP: of the reference over those of the larger run, here from 64 to 1024 processes."""
    small, large = (sum(device.computing for device in devices_of(run)) for run in (PUBLISHED[0], PUBLISHED[-1]))
    expected = 64 * 32.554688 / (1024 * 2.769027)
    assert computation_scalability(small, large) == pytest.approx(expected)
    assert computation_scalability(small, large, work=2) == pytest.approx(2 * expected)


def test_imbalance_that_changes_sides_is_serialization_and_not_load_imbalance() -> None:
    """Two devices in two steps: 3 and 1 s, then 1 and 3 s; then 1 s of messages each."""
    found = factors([DeviceTime(4, waiting=2), DeviceTime(4, waiting=2)], runtime_s=8)
    assert (found.load_balance, found.serialization, found.transfer) == (1, 4 / 6, 6 / 8)


SECONDS = st.floats(0.01, 100)


@given(st.lists(st.tuples(SECONDS, SECONDS, SECONDS), min_size=1, max_size=8), SECONDS)
def test_the_factors_multiply_to_the_share_of_time_that_devices_compute(
    spans: list[tuple[float, float, float]], message_s: float
) -> None:
    runtime_s = max(sum(span) for span in spans) + message_s
    devices = [DeviceTime(*span) for span in spans]
    found = factors(devices, runtime_s)
    useful_s = sum(device.computing for device in devices)
    assert found.parallel == pytest.approx(useful_s / len(devices) / runtime_s)
    for name in ("data_feeding", "load_balance", "serialization", "transfer"):
        assert 0 < getattr(found, name) <= 1 + 1e-12


IMAGES, EPOCHS = 6400, 3


def result_of(run: Run, devices: list[dict[str, float | None]], time_s: float) -> Result:
    """Seconds of phases per epoch and device, the same in every epoch."""
    whole = [{name: None if value is None else value * EPOCHS for name, value in one.items()} for one in devices]
    return Result(
        run_id=run.id,
        run_digest=run.digest,
        outcome="completed",
        epochs=[
            Epoch(
                epoch=number, timed=True, train_loss=1, test_loss=1, test_accuracy=0.5, time_s=time_s,
                evaluation_s=0, images=IMAGES, steps=10,
            )
            for number in range(EPOCHS)
        ],
        phases=[
            DevicePhases(device=place, steps=10 * EPOCHS, time_s=time_s * EPOCHS, **one)
            for place, one in enumerate(whole)
        ],
    )  # fmt: skip


def cell_of(strategy: str, devices: int, phases: list[list[dict[str, float | None]]], time_s: list[float]) -> CellRuns:
    """A cell with one run per entry."""
    cell = Cell(workload="mnist", scaling="epoch", strategy=strategy, nodes=1, devices_per_node=devices)
    runs = []
    for seed, (one, seconds) in enumerate(zip(phases, time_s, strict=True)):
        run = Run(
            study="test", cell=cell, seed=seed, workload=workload_of(0, EPOCHS), device="cpu", cores_per_device=1,
            oversubscribed=False, data_folder="data",
        )  # fmt: skip
        row = RunRow(
            run=run.id, workload="mnist", scaling="epoch", strategy=strategy, nodes=1, devices=devices, seed=seed,
            outcome="completed",
        )  # fmt: skip
        runs.append(CollectedRun(run, result_of(run, one, seconds), row))
    return CellRuns(cell, runs)


def phases_of(computing: float, data: float, waiting: float, communication: float) -> dict[str, float | None]:
    return {
        "data": data, "forward": 0.3 * computing, "backward": 0.5 * computing, "optimizer": 0.15 * computing,
        "other": 0.05 * computing, "waiting": waiting, "communication": communication,
    }  # fmt: skip


SERIAL = cell_of("serial", 1, [[phases_of(9.5, 0.5, 0, 0) | {"waiting": None, "communication": None}]] * 3, [10.0] * 3)


def row_of(cell: CellRuns, base: CellRuns = SERIAL) -> EfficiencyRow:
    cells = [base, cell]
    return efficiency_rows(cells, speedup_rows(cells))[1]


def test_known_factors_come_back() -> None:
    """Device 0 computes 4 s, device 1 computes 5 s and waits 1 s for data; a message takes 1 s; 7 s in all."""
    devices = [phases_of(4, 0, 2, 1), phases_of(5, 1, 0, 1)]
    row = row_of(cell_of("ddp", 2, [devices] * 3, [7.0] * 3))
    assert row.data_feeding == pytest.approx(9 / 10)
    assert row.load_balance == pytest.approx(5 / 6)
    assert row.serialization == pytest.approx(1)
    assert row.transfer == row.communication == pytest.approx(6 / 7)
    assert row.parallel == pytest.approx(4.5 / 7)
    assert row.computation_scalability == pytest.approx(9.5 / 9)
    assert row.global_efficiency == pytest.approx(9.5 / 14)
    assert row.base_global == pytest.approx(0.95)
    assert row.measured == pytest.approx(10 / 7 / 2)
    assert row.residual == pytest.approx(0, abs=1e-12)
    assert row.reason == ""


@given(
    st.lists(
        st.lists(st.tuples(SECONDS, SECONDS, SECONDS), min_size=2, max_size=2), min_size=1, max_size=4
    ),
    st.floats(0.001, 5),
)  # fmt: skip
def test_factors_give_the_measured_speedup_whatever_the_devices_did(
    runs: list[list[tuple[float, float, float]]], message_s: float
) -> None:
    """The runs of a cell take the same time, so that the middle one is any of them, or two of them."""
    time_s = max(sum(device) for run in runs for device in run) + message_s
    phases = [
        [phases_of(*device, communication=time_s - sum(device)) for device in run] for run in runs
    ]  # fmt: skip
    row = row_of(cell_of("ddp", 2, phases, [time_s] * len(runs)))
    assert row.parallel is not None
    assert row.residual == pytest.approx(0, abs=1e-9)
    assert row.global_efficiency == pytest.approx(row.parallel * (row.computation_scalability or 0))
    product = (row.data_feeding or 0) * (row.load_balance or 0) * (row.communication or 0)
    assert row.parallel == pytest.approx(product)


@pytest.mark.parametrize("others", [[7.0, 7.0], [6.9, 7.1], [6.9, 7.0, 7.1]])
def test_a_run_twice_as_slow_leaves_no_residual(others: list[float]) -> None:
    """The speedup takes the median, which that run does not move: nor may it move the factors."""
    times_s = [14.0, *others]
    phases = [[phases_of(4 * t / 7, 0, 2 * t / 7, t / 7), phases_of(5 * t / 7, t / 7, 0, t / 7)] for t in times_s]
    row = row_of(cell_of("ddp", 2, phases, times_s))
    assert row.residual == pytest.approx(0, abs=1e-3)
    assert row.load_balance == pytest.approx(5 / 6)
    assert row.global_efficiency == pytest.approx((row.parallel or 0) * (row.computation_scalability or 0))
    assert row.n == len(times_s)
    slow_base = cell_of("serial", 1, [[phases_of(t * 0.95, t * 0.05, 0, 0)] for t in (10, 20, 10)], [10.0, 20.0, 10.0])
    assert row_of(cell_of("ddp", 2, phases[1:2], times_s[1:2]), slow_base).residual == pytest.approx(0, abs=1e-9)


def test_time_outside_the_steps_is_the_residual() -> None:
    devices = [phases_of(5, 0, 0, 1)] * 2
    cell = cell_of("ddp", 2, [devices] * 3, [6.0] * 3)
    longer = [run.result.model_copy(update={
        "epochs": [epoch.model_copy(update={"time_s": 6.6}) for epoch in run.result.epochs]
    }) for run in cell.runs if run.result]  # fmt: skip
    runs = [CollectedRun(run.run, result, run.row) for run, result in zip(cell.runs, longer, strict=True)]
    assert row_of(CellRuns(cell.cell, runs)).residual == pytest.approx(6 / 6.6 - 1)


@pytest.mark.parametrize(
    ("change", "reason"), [({"communication": None, "waiting": None}, NOT_APART), ({"forward": None}, NO_PHASES)]
)
def test_a_factor_that_was_not_measured_is_empty_and_says_why(change: dict[str, None], reason: str) -> None:
    row = row_of(cell_of("hsdp", 2, [[phases_of(5, 0, 0, 1) | change] * 2], [6.0]))
    assert row.reason == reason
    assert row.parallel is row.load_balance is row.communication is row.computation_scalability is None
    assert row.global_efficiency is row.residual is None
    assert row.measured is not None


def test_a_cell_without_a_speedup_has_no_factors() -> None:
    cell = cell_of("ddp", 2, [[phases_of(5, 0, 0, 1)] * 2], [6.0])
    wrong = CellRuns(cell.cell, cell.runs, wrong="fails the parity check")
    row = row_of(wrong)
    assert row.reason == "fails the parity check"
    assert row.parallel is None
