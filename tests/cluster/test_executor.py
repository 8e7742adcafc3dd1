"""The executor `submitit` on a real SLURM cluster, with jobs that take no time."""

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from slurm_workflow import ROOT, SlurmWorkflow, queue, wait_until

TESTBED = ROOT / "slurm" / "testbed" / "cluster"
Make = Callable[[str], SlurmWorkflow]
needs_testbed = pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/run/scalestudy-cluster").exists(),
    reason="stops parts of the cluster: only as root on the one that `make cluster` boots",
)


@pytest.fixture
def workflow(tmp_path: Path) -> Iterator[Make]:
    flows: list[SlurmWorkflow] = []

    def make(rules: str) -> SlurmWorkflow:
        flows.append(SlurmWorkflow(tmp_path, rules))
        return flows[-1]

    yield make
    for flow in flows:
        flow.clean_up()


# Runs until the file `go` appears, and writes a line at each start: what runs twice is seen.
PATIENT = """
rule patient:
    output: "done"
    shell: "echo start >> starts; while [ ! -e go ]; do sleep 0.2; done; echo ok > {output}"
"""


def test_200_alike_jobs_are_one_array_submitted_at_once_and_watched_by_one_squeue_per_poll(workflow: Make) -> None:
    flow = workflow("""
rule all:
    input: expand("out/{number}", number=range(200))
    localrule: True
rule one:
    output: "out/{number}"
    shell: "echo {wildcards.number} > {output}"
""")
    assert flow.run(timeout_s=300) == 0, flow.said
    assert all(flow.lines(f"out/{number}") == [str(number)] for number in range(200))
    assert flow.calls("sbatch") <= 2
    submission_s = float(re.findall(r"Submitted 200 x one as \S+ to \S+ in ([\d.]+) s", flow.said)[0])
    assert submission_s < 3
    elapsed_s = float(re.findall(r"Elapsed time: 0:(\d+):([\d.]+)", flow.said)[0][1])
    minutes = int(re.findall(r"Elapsed time: 0:(\d+):", flow.said)[0])
    assert flow.calls("squeue") <= 60 * minutes + elapsed_s + 2


def test_the_ranks_of_a_job_on_two_nodes_know_each_other(workflow: Make) -> None:
    flow = workflow("""
rule ranks:
    output: "done"
    resources: nodes=2, tasks_per_node=2, cpus_per_task=1, mem_mb=200
    shell: "echo $RANK $WORLD_SIZE $LOCAL_RANK $LOCAL_WORLD_SIZE $NODE_RANK $MASTER_ADDR $MASTER_PORT $(hostname)"
        " > rank$RANK; [ $RANK != 0 ] || touch {output}"
""")
    assert flow.run() == 0, flow.said
    ranks = [flow.lines(f"rank{rank}")[0].split() for rank in range(4)]
    assert [rank[:5] for rank in ranks] == [
        ["0", "4", "0", "2", "0"],
        ["1", "4", "1", "2", "0"],
        ["2", "4", "0", "2", "1"],
        ["3", "4", "1", "2", "1"],
    ]
    assert {rank[5] for rank in ranks} == {ranks[0][7]}
    assert len({rank[7] for rank in ranks}) == 2
    assert len({rank[6] for rank in ranks}) == 1
    assert 20_000 <= int(ranks[0][6]) < 32_768


def test_a_failed_rank_ends_the_others_and_is_named_with_its_log(workflow: Make) -> None:
    flow = workflow("""
rule fails:
    output: "done"
    resources: nodes=2
    shell: "[ $RANK = 0 ] && sleep 100; echo the reason >&2; exit 3"
""")
    assert flow.run(timeout_s=60) == 1
    assert re.search(
        r"is FAILED: its command failed \(exit code 1\), on n\S+, rank 1 on n\d+ ended with exit code 3", flow.said
    )
    assert "    the reason\n" in flow.said
    assert "Traceback" not in flow.said


def test_a_killed_rank_is_named_with_its_signal(workflow: Make) -> None:
    flow = workflow("""
rule killed:
    output: "done"
    resources: nodes=2
    shell: "[ $RANK = 0 ] && sleep 100; kill -9 $$"
""")
    assert flow.run(timeout_s=60) == 1
    assert re.search(r"rank 1 on n\d+ was ended by SIGKILL", flow.said)


def test_a_wrong_partition_is_one_line_with_the_reason_and_the_others_go_on(workflow: Make) -> None:
    flow = workflow("""
rule all:
    input: "good", "wrong"
    localrule: True
rule wrong:
    output: "wrong"
    resources: slurm_partition="nowhere"
    shell: "touch {output}"
rule good:
    output: "good"
    shell: "touch {output}"
""")
    assert flow.run() == 1
    assert (flow.folder / "good").exists()
    assert flow.said.count("Invalid partition name specified") == 1


def test_a_request_that_can_never_start_is_cancelled_with_the_reason(workflow: Make) -> None:
    flow = workflow("""
rule endless:
    output: "done"
    resources: runtime=100000
    shell: "touch {output}"
""")
    assert flow.run(timeout_s=60) == 1
    assert re.search(r"can never start, so it was cancelled; SLURM's reason: Partition\w+", flow.said)
    wait_until(lambda: not queue())


def test_a_job_that_someone_cancels_is_tried_again(workflow: Make) -> None:
    flow = workflow(PATIENT)
    process = flow.start("--retries", "1")
    wait_until(lambda: flow.lines("starts"))
    subprocess.run(["scancel", *queue()], check=True)
    wait_until(lambda: len(flow.lines("starts")) == 2)
    (flow.folder / "go").touch()
    assert process.wait(60) == 0, flow.said
    assert "is CANCELLED: it was cancelled" in flow.said


def test_ctrl_c_leaves_nothing_in_the_queue(workflow: Make) -> None:
    flow = workflow(PATIENT)
    process = flow.start()
    wait_until(lambda: flow.lines("starts"))
    process.send_signal(signal.SIGINT)
    assert process.wait(60) != 0
    wait_until(lambda: not queue())


def test_after_kill_9_a_restart_takes_over_what_still_runs(workflow: Make) -> None:
    flow = workflow(PATIENT)
    process = flow.start()
    wait_until(lambda: flow.lines("starts"))
    process.kill()
    process.wait()
    process = flow.start("--nolock")
    wait_until(lambda: "Took over job" in flow.said)
    (flow.folder / "go").touch()
    assert process.wait(60) == 0, flow.said
    assert flow.lines("starts") == ["start"]
    assert flow.calls("sbatch") == 1


def test_what_ended_well_while_snakemake_was_away_is_not_run_again(workflow: Make) -> None:
    flow = workflow(PATIENT)
    process = flow.start()
    wait_until(lambda: flow.lines("starts"))
    process.kill()
    process.wait()
    (flow.folder / "go").touch()
    wait_until(lambda: not queue())
    assert flow.run("--nolock") == 0, flow.said
    assert flow.lines("starts") == ["start"]


@needs_testbed
def test_a_restart_of_slurmctld_is_waited_for(workflow: Make) -> None:
    flow = workflow(PATIENT)
    process = flow.start()
    wait_until(lambda: flow.lines("starts"))
    subprocess.run([TESTBED, "stop-controller"], check=True)
    try:
        wait_until(lambda: "squeue does not answer" in flow.said, timeout_s=90)
    finally:
        subprocess.run([TESTBED, "start-controller"], check=True)
    (flow.folder / "go").touch()
    assert process.wait(120) == 0, flow.said
    assert flow.lines("starts") == ["start"]


@needs_testbed
def test_a_job_whose_node_fails_is_started_again_by_slurm_and_not_reported_as_failed(workflow: Make) -> None:
    flow = workflow("""
rule wide:
    output: "done"
    resources: nodes=4, mem_mb=200
    shell: "again=${{SLURM_RESTART_COUNT:-}}; echo $again. >> starts; [ -n \\"$again\\" ] || sleep 300; touch {output}"
""")
    process = flow.start()
    wait_until(lambda: len(flow.lines("starts")) == 4)
    subprocess.run([TESTBED, "kill-node", "n4"], check=True)
    wait_until(
        lambda: (
            "down"
            in subprocess.run(
                ["sinfo", "-h", "-n", "n4", "-o", "%T"], capture_output=True, text=True, check=True
            ).stdout
        ),
        60,
    )
    subprocess.run([TESTBED, "start-node", "n4"], check=True)
    assert process.wait(180) == 0, flow.said
    assert flow.lines("starts") == ["."] * 4 + ["1."] * 4  # SLURM's own restart, counted by SLURM
    assert "Error in rule" not in flow.said
    assert flow.calls("sbatch") == 1


def test_a_job_that_needs_too_much_memory_says_so(workflow: Make) -> None:
    flow = workflow("""
rule hungry:
    output: "done"
    resources: mem_mb=100
    shell: "python3 -c 'import time; held = bytearray(400_000_000); time.sleep(30)'"
""")
    assert flow.run(timeout_s=60) == 1
    assert "raise mem_mb" in flow.said


def test_squeue_that_fails_for_a_while_fails_no_job(workflow: Make) -> None:
    flow = workflow(PATIENT)
    process = flow.start()
    wait_until(lambda: flow.lines("starts"))
    flow.break_("squeue")
    wait_until(lambda: "squeue does not answer; waiting" in flow.said)
    (flow.folder / "go").touch()
    wait_until(lambda: flow.lines("done"))
    flow.mend("squeue")
    assert process.wait(60) == 0, flow.said
    assert flow.said.count("squeue does not answer") == 1
    assert flow.lines("starts") == ["start"]


def test_sbatch_that_refuses_once_is_asked_again(workflow: Make) -> None:
    flow = workflow('rule one:\n    output: "done"\n    shell: "touch {output}"\n')
    flow.break_("sbatch")
    assert flow.run() == 0, flow.said
    assert flow.calls("sbatch") == 2


def test_a_script_rule_is_refused_by_name(workflow: Make) -> None:
    flow = workflow('rule scripted:\n    output: "done"\n    script: "script.py"\n')
    (flow.folder / "script.py").touch()
    assert flow.run() == 1
    assert "rule scripted: the executor submitit cannot run `script`" in flow.said


def test_setup_lines_run_before_the_ranks(workflow: Make) -> None:
    flow = workflow("""
rule set_up:
    output: "done"
    resources: slurm_setup="export GREETING='good day'", slurm_extra="--comment=hello --exclusive"
    shell: "echo $GREETING > {output}"
""")
    assert flow.run() == 0, flow.said
    assert flow.lines("done") == ["good day"]


@pytest.mark.parametrize("name", ["local", "debug"])
def test_the_same_workflow_runs_without_slurm(workflow: Make, name: str) -> None:
    flow = workflow('rule one:\n    output: "done"\n    shell: "echo $RANK $WORLD_SIZE > {output}"\n')
    assert flow.run("--submitit-cluster", name) == 0, flow.said
    assert flow.lines("done") == ["0 1"]
    assert not flow.calls("sbatch") + flow.calls("squeue")
