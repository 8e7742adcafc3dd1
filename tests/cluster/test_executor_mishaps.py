"""The executor `submitit` on a real SLURM cluster while parts of it fail: no run lost, none twice, no orphan."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from running_beside import Beside
from slurm_here import TESTBED
from slurm_workflow import PATIENT, SlurmWorkflow, wait_until

Make = Callable[[str], SlurmWorkflow]
pytestmark = pytest.mark.usefixtures("beside")  # begins early what takes minutes


def test_a_job_that_someone_cancels_is_tried_again(workflow: Make) -> None:
    flow = workflow(PATIENT)
    process = flow.start("--retries", "1")
    wait_until(lambda: flow.lines("starts"))
    subprocess.run(["scancel", *flow.queue()], check=True)
    wait_until(lambda: len(flow.lines("starts")) == 2)
    flow.touch("go")
    assert process.wait(60) == 0, flow.said
    assert "is CANCELLED: it was cancelled" in flow.said


def test_sbatch_that_refuses_once_is_asked_again(workflow: Make) -> None:
    flow = workflow('rule one:\n    output: "done"\n    shell: "touch {output}"\n')
    flow.touch("sbatch-refuses")
    assert flow.run() == 0, flow.said
    assert len(flow.calls("sbatch")) == 2


def test_what_sbatch_submitted_before_it_failed_is_cancelled_and_runs_nothing(workflow: Make) -> None:
    flow = workflow(PATIENT)
    flow.touch("sbatch-unheard")
    process = flow.start()
    wait_until(lambda: flow.lines("starts") and flow.calls("scancel"))
    wait_until(lambda: len(flow.queue()) == 1)
    flow.touch("go")
    assert process.wait(60) == 0, flow.said
    assert flow.lines("starts") == ["start"]
    assert len(flow.calls("sbatch")) == 2
    assert flow.said.count("wait until SLURM takes them: 1; not submitted: sbatch: error: Socket timed out") == 1


def test_a_job_that_could_not_be_cancelled_is_reported_only_when_it_is(workflow: Make) -> None:
    flow = workflow('rule one:\n    output: "done"\n    resources: runtime=100000\n    shell: "touch {output}"\n')
    flow.touch("scancel-fails")
    process = flow.start()
    wait_until(lambda: flow.said.count("scancel failed; left in the queue") >= 2)
    assert "Error in rule" not in flow.said
    flow.remove("scancel-fails")
    assert process.wait(60) == 1
    assert flow.said.count("would wait forever, so it was cancelled") == 1
    assert flow.queue() == []


FORGOTTEN = """
rule all:
    input: "good", "bad", "killed"
    localrule: True
rule good:
    output: "good"
    shell: "while [ ! -e squeue-forgets ]; do sleep 0.2; done; touch {output}"
rule bad:
    output: "bad"
    shell: "while [ ! -e squeue-forgets ]; do sleep 0.2; done; exit 3"
rule killed:
    output: "killed"
    shell: "while [ ! -e squeue-forgets ]; do sleep 0.2; done; kill -9 $PPID"  # submitit leaves no result
"""


@pytest.mark.parametrize(("sacct", "end"), [(True, "FAILED"), (False, "LOST")])
def test_how_a_job_ended_that_squeue_has_forgotten(workflow: Make, sacct: bool, end: str) -> None:
    """With sacct the state is known; without it, what the ranks left behind."""
    flow = workflow(FORGOTTEN)
    if not sacct:
        flow.without("sacct")
    process = flow.start()
    wait_until(lambda: flow.calls("squeue"))
    flow.touch("squeue-forgets")
    assert process.wait(60) == 1
    assert (flow.folder / "good").exists()
    assert flow.said.count("Error in rule") == 2
    assert "ended with exit code 3" in flow.said
    assert f"is {end}: " in flow.said.partition("Error in rule killed")[2]
    assert bool(flow.calls("sacct")) == sacct


def test_a_restart_of_slurmctld_is_waited_for(workflow: Make) -> None:
    flow = workflow(PATIENT)
    process = flow.start()
    wait_until(lambda: flow.lines("starts"))
    subprocess.run([TESTBED, "stop-controller"], check=True)
    try:
        wait_until(lambda: "squeue does not answer" in flow.said, timeout_s=90)
    finally:
        subprocess.run([TESTBED, "start-controller"], check=True)
    flow.touch("go")
    assert process.wait(120) == 0, flow.said
    assert flow.lines("starts") == ["start"]
    assert len(flow.calls("sbatch")) == 1


def test_a_job_that_is_ready_while_slurmctld_is_away_waits_for_it(workflow: Make) -> None:
    flow = workflow("""
rule one:
    input: "ready"
    output: "done"
    shell: "echo start >> starts; touch {output}"
rule ready:
    output: "ready"
    localrule: True
    shell: "touch waits; while [ ! -e go ]; do sleep 0.2; done; touch {output}"
""")
    process = flow.start()
    wait_until((flow.folder / "waits").exists)
    subprocess.run([TESTBED, "stop-controller"], check=True)
    try:
        flow.touch("go")
        wait_until(lambda: "wait until SLURM takes them: 1; not submitted: sbatch: error: " in flow.said, 60)
        wait_until(lambda: "squeue does not answer" in flow.said, 90)
    finally:
        subprocess.run([TESTBED, "start-controller"], check=True)
    assert process.wait(120) == 0, flow.said
    assert flow.lines("starts") == ["start"]
    assert len(flow.calls("sbatch")) == 2  # nothing is submitted while squeue does not answer
    assert flow.said.count("wait until SLURM takes them") == 1
    assert "Error in rule" not in flow.said


def test_squeue_that_fails_for_a_minute_fails_no_job(beside: Beside) -> None:
    flow = beside.deaf
    wait_until(lambda: "squeue does not answer; waiting" in flow.said)
    flow.touch("go")
    wait_until(lambda: flow.lines("done"))
    wait_until(lambda: flow.calls("squeue")[-1] - flow.calls("squeue")[0] > 60, 70)
    flow.remove("squeue-fails")
    assert flow.processes[0].wait(60) == 0, flow.said
    assert flow.said.count("squeue does not answer") == 1
    assert flow.lines("starts") == ["start"]
    assert not flow.queue()


def _node_state(name: str) -> str:
    command = ["sinfo", "--noheader", f"--nodes={name}", "--format=%T"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_job_whose_node_fails_is_started_again_by_slurm_and_not_reported_as_failed(workflow: Make) -> None:
    flow = workflow("""
rule wide:
    output: "done"
    resources: nodes=4, mem_mb=200, slurm_extra="--nodelist=n[1-4]"
    shell: "again=${{SLURM_RESTART_COUNT:-}}; echo $again. >> starts; [ -n \\"$again\\" ] || sleep 300; touch {output}"
""")
    process = flow.start()
    wait_until(lambda: len(flow.lines("starts")) == 4)
    subprocess.run([TESTBED, "kill-node", "n4"], check=True)
    wait_until(lambda: "down" in _node_state("n4"), 60)
    subprocess.run([TESTBED, "start-node", "n4"], check=True)
    assert process.wait(180) == 0, flow.said
    assert flow.lines("starts") == ["."] * 4 + ["1."] * 4  # SLURM's own restart, counted by SLURM
    assert "Error in rule" not in flow.said
    assert len(flow.calls("sbatch")) == 1


def test_a_node_that_fails_is_named_where_slurm_does_not_start_the_job_again(workflow: Make, tmp_path: Path) -> None:
    flow = workflow("""
rule once:
    output: "done"
    resources: slurm_extra="--no-requeue --nodelist=n3"
    shell: "echo start >> starts; [ $(wc -l < starts) = 2 ] || sleep 300; touch {output}"
""")
    process = flow.start("--retries", "1")
    wait_until(lambda: flow.lines("starts"))
    subprocess.run([TESTBED, "kill-node", "n3"], check=True)
    wait_until(lambda: "is NODE_FAIL: a node failed under it" in flow.said, 60)
    subprocess.run([TESTBED, "start-node", "n3"], check=True)
    assert process.wait(120) == 0, flow.said
    assert flow.lines("starts") == ["start"] * 2


def test_a_time_limit_that_is_reached_twice_is_named_and_the_job_goes_on(beside: Beside) -> None:
    """The last here: it began with the first test, and takes minutes."""
    flow = beside.limited
    assert flow.processes[0].wait(240) == 0, flow.said
    assert flow.said.count("is TIMEOUT: it reached its time limit; raise runtime") == 2
    assert flow.lines("starts") == ["start"] * 3
    assert not flow.queue()
