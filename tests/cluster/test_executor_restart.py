"""The executor `submitit` on a real SLURM cluster when Snakemake ends before its jobs: nothing runs twice."""

import shutil
import signal
import subprocess
from collections.abc import Callable

import pytest
from slurm_workflow import PATIENT, SlurmWorkflow, wait_until

Make = Callable[[str], SlurmWorkflow]
# Three alike jobs that each say when they start, and when two of them run at once.
THREE = """
rule all:
    input: expand("out{number}", number=range(3))
    localrule: True
rule one:
    output: "out{number}"
    shell: "mkdir lock{wildcards.number} || touch twice-at-once; echo {wildcards.number} >> starts;"
        " while [ ! -e go ]; do sleep 0.2; done; rmdir lock{wildcards.number}; touch {output}"
"""


def _killed(flow: SlurmWorkflow, process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()


@pytest.mark.parametrize("recorded", [True, False])
def test_after_kill_9_a_restart_takes_over_what_still_runs(workflow: Make, recorded: bool) -> None:
    """Also when Snakemake died before it wrote the ids down."""
    flow = workflow(THREE)
    process = flow.start()
    wait_until(lambda: len(flow.lines("starts")) == 3)
    _killed(flow, process)
    if not recorded:
        shutil.rmtree(flow.folder / ".snakemake" / "incomplete")
    process = flow.start()
    wait_until(lambda: flow.said.count("Took over job") == 3)
    flow.touch("go")
    assert process.wait(60) == 0, flow.said
    assert sorted(flow.lines("starts")) == ["0", "1", "2"]
    assert len(flow.calls("sbatch")) == 1
    assert not (flow.folder / "twice-at-once").exists()


def test_killed_right_after_sbatch_what_was_submitted_is_cancelled_and_submitted_anew(workflow: Make) -> None:
    flow = workflow(THREE)
    flow.touch("go")
    flow.touch("sbatch-deadly")
    assert flow.run() == -signal.SIGKILL
    assert len(flow.queue()) == 3
    assert flow.run() == 0, flow.said
    assert sorted(flow.lines("starts")) == ["0", "1", "2"]
    assert len(flow.calls("sbatch")) == 2


def test_what_ended_well_while_snakemake_was_away_is_not_run_again(workflow: Make) -> None:
    flow = workflow(PATIENT)
    process = flow.start()
    wait_until(lambda: flow.lines("starts"))
    _killed(flow, process)
    flow.touch("go")
    wait_until(lambda: not flow.queue())
    assert flow.run() == 0, flow.said
    assert flow.lines("starts") == ["start"]


def test_what_failed_while_snakemake_was_away_is_run_again(workflow: Make) -> None:
    flow = workflow(PATIENT)
    process = flow.start()
    wait_until(lambda: flow.lines("starts"))
    _killed(flow, process)
    subprocess.run(["scancel", *flow.queue()], check=True)
    wait_until(lambda: not flow.queue())
    flow.touch("go")
    assert flow.run() == 0, flow.said
    assert flow.lines("starts") == ["start"] * 2


def test_a_job_with_an_older_command_ends_before_the_new_one_starts(workflow: Make) -> None:
    flow = workflow(PATIENT)
    process = flow.start()
    wait_until(lambda: flow.lines("starts"))
    _killed(flow, process)
    (older,) = flow.queue()
    rule = 'rule patient:\n    output: "done"\n    shell: "squeue -rho %i > seen; touch {output}"\n'
    (flow.folder / "Snakefile").write_text(rule)
    assert flow.run() == 0, flow.said
    assert f"Job {older} is of an older command, params or input of rule patient: not taken over" in flow.said
    assert flow.lines("seen")  # itself at least
    assert older not in flow.lines("seen")


def test_a_job_that_was_left_behind_and_that_nothing_asks_for_runs_on_and_is_named(workflow: Make) -> None:
    flow = workflow(PATIENT)
    process = flow.start()
    wait_until(lambda: flow.lines("starts"))
    _killed(flow, process)
    (left,) = flow.queue()
    (flow.folder / "Snakefile").write_text('rule other:\n    output: "other"\n    shell: "touch {output}"\n')
    assert flow.run() == 0, flow.said
    assert f"nothing here waits for still run or wait: 1. To end them: scancel {left}\n" in flow.said
    assert flow.queue() == [left]
    flow.touch("go")


def test_ctrl_c_leaves_nothing_in_the_queue_and_the_next_start_goes_on(workflow: Make) -> None:
    flow = workflow(THREE)
    process = flow.start()
    wait_until(lambda: flow.lines("starts"))
    process.send_signal(signal.SIGINT)
    assert process.wait(60) != 0
    wait_until(lambda: not flow.queue())
    for lock in flow.folder.glob("lock?"):
        lock.rmdir()
    flow.touch("go")
    assert flow.run() == 0, flow.said


def test_ctrl_c_while_sbatch_runs_leaves_nothing_in_the_queue(workflow: Make) -> None:
    flow = workflow(THREE)
    flow.touch("sbatch-late")
    process = flow.start()
    wait_until(lambda: flow.calls("sbatch"))
    process.send_signal(signal.SIGINT)
    assert process.wait(60) != 0
    wait_until(lambda: not flow.queue())
    assert flow.lines("starts") == []
