"""What SLURM's states and reasons say of a job that waits."""

import pytest

from submitit_ranks.ending import JobState


@pytest.mark.parametrize(
    "reason",
    [
        *("QOSMaxCpuPerNode", "QOSMaxNodePerJobLimit", "AssocMaxMemPerNode", "QOSMinCpuNotSatisfied", "QOSMinGRES"),
        *("QOSNotAllowed", "AccountNotAllowed", "MaxMemPerLimit", "InvalidQOS", "PartitionTimeLimit", "BadConstraints"),
    ],
)
def test_a_request_that_no_node_and_no_time_can_satisfy_is_hopeless(reason: str) -> None:
    assert JobState("PENDING", reason=reason).hopeless
    assert not JobState("RUNNING", reason=reason).hopeless
    several = JobState("PENDING", reason=reason, partition="short,long")
    of_all = reason in ("AccountNotAllowed", "InvalidQOS")  # others are of the one that SLURM tried last
    assert several.hopeless is of_all
    assert several.held == ("" if of_all else reason)


@pytest.mark.parametrize(
    "reason",
    [
        *("Priority", "Resources", "QOSMaxJobsPerUserLimit", "QOSMaxCpuPerUserLimit", "QOSGrpNodeLimit"),
        *("AssocGrpCpuLimit", "AssocMaxJobsLimit", "QOSMaxNodePerUserLimit", "MaxCpuPerAccount", "ReqNodeNotAvail"),
    ],
)
def test_a_limit_that_is_over_when_other_jobs_end_is_waited_for(reason: str) -> None:
    assert not JobState("PENDING", reason=reason).hopeless


@pytest.mark.parametrize(
    ("state", "reason", "held"),
    [
        ("PENDING", "JobHeldAdmin", "JobHeldAdmin"),
        ("PENDING", "JobHeldUser", "JobHeldUser"),
        ("PENDING", "JobHoldMaxRequeue", "JobHoldMaxRequeue"),
        ("PENDING", "user env retrieval failed reque", "user env retrieval failed reque"),
        ("PENDING", "AssocGrpBillingMinutes", "AssocGrpBillingMinutes"),
        ("PENDING", "QOSMaxCpuPerUserLimit", "QOSMaxCpuPerUserLimit"),
        ("PENDING", "MaxCpuPerAccount", "MaxCpuPerAccount"),
        ("PENDING", "ReservationInvalid", "ReservationInvalid"),
        ("PENDING", "ReqNodeNotAvail, UnavailableNodes:n[1-2]", "ReqNodeNotAvail"),
        ("REQUEUE_HOLD", "", "REQUEUE_HOLD"),
        ("SPECIAL_EXIT", "None", "SPECIAL_EXIT"),
        ("PENDING", "Priority", ""),
        ("PENDING", "Resources", ""),
        ("PENDING", "Dependency", ""),
        ("PENDING", "BeginTime", ""),
        ("PENDING", "None", ""),
        ("RUNNING", "JobHeldAdmin", ""),
    ],
)
def test_what_somebody_may_release_or_one_job_may_exceed_is_held_and_not_hopeless(
    state: str, reason: str, held: str
) -> None:
    assert JobState(state, reason=reason).held == held
    assert not JobState(state, reason=reason).hopeless


def test_a_job_whose_reservation_is_over_is_hopeless() -> None:
    assert JobState("RESV_DEL_HOLD", reason="Reservation weekly was deleted").hopeless


def test_of_a_job_that_a_node_could_not_start_it_is_known_that_another_one_may() -> None:
    held = JobState("PENDING", reason="launch failed requeued held")
    assert held.hopeless
    assert held.not_launched
    assert not JobState("PENDING", reason="BadConstraints").not_launched
