"""Which rank a process is, by the environment that its launcher made."""

import pytest

from scalestudy.errors import StudyError
from scalestudy.train.ranks import PORT_BASE, PORT_SPAN, Rank, rank_from_environment

TORCHRUN = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "head", "MASTER_PORT": "2345"}
SLURM = {
    "SLURM_PROCID": "2",
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_STEP_NUM_NODES": "2",
    "SLURM_STEP_NODELIST": "n[1-2]",
    "SLURM_JOB_ID": "123456",
}


def test_without_a_launcher_there_is_no_rank() -> None:
    assert rank_from_environment({"PATH": "/bin", "WORLD_SIZE": "4"}) is None


def test_torchrun_names_the_rank_and_where_to_meet() -> None:
    assert rank_from_environment(TORCHRUN) == Rank(3, 4, "tcp://head:2345", one_machine=False)
    assert rank_from_environment(TORCHRUN | {"LOCAL_WORLD_SIZE": "4"}) == Rank(
        3, 4, "tcp://head:2345", one_machine=True
    )


def test_slurm_names_the_rank_and_the_job_id_chooses_a_port_below_the_ephemeral_range() -> None:
    rank = rank_from_environment(SLURM)
    assert rank == Rank(2, 4, "tcp://n1:23456", one_machine=False)
    assert PORT_BASE + PORT_SPAN <= 32_768


def test_two_steps_of_a_job_meet_on_ports_of_their_own() -> None:
    ranks = [rank_from_environment(SLURM | {"SLURM_STEP_ID": step}) for step in ("0", "1", "2")]
    assert len({rank.init_method for rank in ranks if rank}) == 3


def test_a_single_slurm_task_starts_its_own_ranks() -> None:
    assert rank_from_environment(SLURM | {"SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"}) is None


def test_one_slurm_node_is_one_machine() -> None:
    rank = rank_from_environment(SLURM | {"SLURM_STEP_NUM_NODES": "1"})
    assert rank is not None
    assert rank.one_machine


@pytest.mark.parametrize(
    ("nodelist", "first"),
    [
        ("n1", "n1"),
        ("n1,n2", "n1"),
        ("n[1-4]", "n1"),
        ("n[01,03-04],m2", "n01"),
        ("node-a[007-009]", "node-a007"),
        ("rack[1-2]n[01-16]", "rack1n01"),
        ("n[1-2]-ib0,login", "n1-ib0"),
    ],
)
def test_ranks_meet_at_the_first_host_of_the_node_list(nodelist: str, first: str) -> None:
    rank = rank_from_environment(SLURM | {"SLURM_STEP_NODELIST": nodelist})
    assert rank is not None
    assert rank.init_method == f"tcp://{first}:23456"


def test_a_given_address_goes_before_the_node_list() -> None:
    rank = rank_from_environment(SLURM | {"MASTER_ADDR": "10.0.0.7", "SLURM_STEP_NODELIST": "n[1-"})
    assert rank is not None
    assert rank.init_method == "tcp://10.0.0.7:23456"


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"RANK": "0"}, "WORLD_SIZE"),
        (TORCHRUN | {"RANK": "one"}, "RANK"),
        (TORCHRUN | {"RANK": "4"}, "RANK"),
        (TORCHRUN | {"RANK": "-1"}, "RANK"),
        (SLURM | {"SLURM_PROCID": "4"}, "SLURM_PROCID"),
        (SLURM | {"SLURM_STEP_NUM_TASKS": ""}, "SLURM_STEP_NUM_TASKS"),
        ({key: value for key, value in SLURM.items() if key != "SLURM_STEP_NUM_TASKS"}, "SLURM_STEP_NUM_TASKS"),
        ({key: value for key, value in SLURM.items() if key != "SLURM_JOB_ID"}, "SLURM_JOB_ID"),
        (SLURM | {"SLURM_STEP_NODELIST": "n[1-"}, "node list"),
        ({key: value for key, value in SLURM.items() if key != "SLURM_STEP_NODELIST"}, "node list"),
    ],
)
def test_missing_or_contradictory_variables_are_one_line_that_names_them(
    environment: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")  # no scontrol to ask
    with pytest.raises(StudyError, match=named) as caught:
        rank_from_environment(environment)
    assert "\n" not in str(caught.value)
