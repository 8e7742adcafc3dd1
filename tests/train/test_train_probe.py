"""What the machine allows, measured by the ranks of a layout."""

import subprocess
import sys
from pathlib import Path

import pytest
from train_setup import import_what_ranks_need, make_run, on_ranks

from scalestudy.records.files import read_model, write_model
from scalestudy.records.paths import StudyPaths
from scalestudy.records.probe import Probe
from scalestudy.spec.probing import Probing, probings
from scalestudy.spec.run import Run, Study
from scalestudy.train.probe import messages, throughput
from scalestudy.train.probe.layout import probe_as, probe_layout
from scalestudy.train.processes import run_ranks


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throughput, "REPEAT_S", 0.01)
    monkeypatch.setattr(messages, "SIZES", (4, 1 << 10, 1 << 16))


def probing_of(*runs: Run) -> Probing:
    (found,) = probings(Study(name="test", runs=list(runs), accuracy_margin=0.01)).values()
    return found


def alike(run: Run) -> Run:
    """The run as a machine with enough cores would plan it."""
    return run.model_copy(update={"oversubscribed": False})


def test_all_ranks_work_at_once_and_one_alone(tmp_path: Path) -> None:
    import_what_ranks_need()
    probing = probing_of(alike(make_run("ddp")), alike(make_run("ddp", scaling="epoch")))
    assert probe_layout(probing, tmp_path / "probe" / "1x2.json", started=0.0) == 0
    probe = read_model(tmp_path / "probe" / "1x2.json", Probe)
    assert (probe.nodes, probe.devices_per_node, probe.backend) == (1, 2, "gloo")
    assert [(one.work, one.batch_size) for one in probe.throughput] == [
        ("training", 16), ("training", 32), ("matmul", 0), ("memory", 0),
    ]  # fmt: skip
    for one in probe.throughput:
        assert len(one.alone_s) == len(one.together_s) == throughput.REPEATS
        assert all(time_s > 0 for time_s in one.alone_s)
        assert all(len(times_s) == 2 and min(times_s) > 0 for times_s in one.together_s)
    strong = probe.throughput[0]
    assert strong.alone_batch_size == 32
    assert strong.alone_amount == 2 * strong.amount
    assert [(one.ranks, one.bytes, len(one.time_s)) for one in probe.all_reduce] == [
        (2, size, messages.REPEATS) for size in messages.SIZES
    ]
    assert probe.provenance is not None
    assert probe.provenance.torch


def test_messages_between_nodes_are_measured_apart() -> None:
    probing = probing_of(alike(make_run("hybrid", (2, 2))))
    found = on_ranks(lambda rank: probe_as(probing, probing.run, rank, started=0.0).all_reduce, 4)[0]
    assert {(one.group, one.ranks) for one in found} == {("all", 4), ("nodes", 2)}
    assert all(time_s > 0 for one in found for time_s in one.time_s)


def test_a_slow_link_is_not_probed_with_large_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "MOST_S", 0.0)
    probing = probing_of(alike(make_run("ddp")))
    found = on_ranks(lambda rank: probe_as(probing, probing.run, rank, started=0.0).all_reduce, 2)[0]
    assert [one.bytes for one in found] == [4]


def test_more_devices_than_cores_tell_nothing() -> None:
    probing = probing_of(make_run("ddp").model_copy(update={"oversubscribed": True}))
    found = on_ranks(lambda rank: probe_as(probing, probing.run, rank, started=0.0), 2)[0]
    assert found.oversubscribed
    assert not found.throughput
    assert not found.all_reduce


def test_a_study_of_one_device_is_probed_without_messages(tmp_path: Path) -> None:
    probing = probing_of(make_run("serial"))
    path = tmp_path / "1x1.json"
    assert run_ranks(lambda _: probe_layout(probing, path, started=0.0), 1) == 0
    probe = read_model(path, Probe)
    assert not probe.all_reduce
    assert [one.work for one in probe.throughput] == ["training", "matmul", "memory"]


@pytest.mark.parametrize(("options", "code"), [((), 2), (("--record-failure",), 0)])
def test_a_probe_without_its_data_fails_by_hand_and_is_recorded_by_the_workflow(
    tmp_path: Path, options: tuple[str, ...], code: int
) -> None:
    run = make_run("serial").model_copy(update={"data_folder": str(tmp_path / "none")})
    paths = StudyPaths(tmp_path)
    write_model(paths.study, Study(name="test", runs=[run], accuracy_margin=0.01))
    command = [sys.executable, "-m", "scalestudy", "probe", str(paths.study), "1x1", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == code, done.stderr
    assert "the data set is not prepared" in (done.stdout if options else done.stderr)
    assert "Traceback" not in done.stderr
    assert paths.probe("1x1").exists() == bool(options)
