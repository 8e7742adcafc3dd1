"""The executor `submitit` on a real SLURM cluster: what it submits, and what it says of what fails."""

import contextlib
import itertools
import os
import pwd
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from slurm_workflow import ROOT, SlurmWorkflow, wait_until

from submitit_ranks.slurm import Slurm

Make = Callable[[str], SlurmWorkflow]
pytestmark = pytest.mark.usefixtures("beside")  # begins early what takes minutes, and may keep others waiting so long
PRESENT = "    output: 'done'\n    shell: 'touch {output}'\n"


def test_200_alike_jobs_are_one_array_submitted_at_once_and_watched_by_one_squeue_per_poll(workflow: Make) -> None:
    flow = workflow("""
rule all:
    input: expand("out/{number}", number=range(200))
    localrule: True
rule one:
    output: "out/{number}"
    shell: "echo {wildcards.number} >> {output}"
""")
    process, peak_kib = flow.start(), 0
    while process.poll() is None:  # its own peak: what getrusage says of a child holds its parent's peak, too
        with contextlib.suppress(OSError, IndexError):
            status = Path(f"/proc/{process.pid}/status").read_text()
            peak_kib = int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0])
        time.sleep(0.05)
    assert process.returncode == 0, flow.said
    assert all(flow.lines(f"out/{number}") == [str(number)] for number in range(200))
    assert len(flow.calls("sbatch")) <= 2
    assert float(re.findall(r"Submitted 200 x one as \S+ to \S+ in ([\d.]+) s", flow.said)[0]) < 3
    assert 0 < peak_kib < 200 * 1024
    polls = flow.calls("squeue")
    assert all(later - earlier > 0.95 for earlier, later in itertools.pairwise(polls))
    assert not flow.calls("sacct")


# A site that lets a user have two jobs in the queue.
LIMITED_SBATCH = """#!/bin/sh
asked=$(( $(sed -n 's/^#SBATCH --array=0-\\([0-9]*\\)%.*/\\1/p' "$1") + 1 ))
echo $asked >> {folder}/asked
if [ $(( asked + $({squeue} -hro %Z | grep -cx {folder}) )) -gt 2 ]; then
    echo "sbatch: error: QOSMaxSubmitJobPerUserLimit" >&2
    echo "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit)" >&2
    exit 1
fi
exec {sbatch} "$@"
"""


def test_what_a_limit_of_the_site_keeps_out_of_the_queue_waits_until_there_is_room(workflow: Make) -> None:
    flow = workflow("""
rule all:
    input: expand("out/{number}", number=range(5))
    localrule: True
rule one:
    output: "out/{number}"
    shell: "echo start >> starts; while [ ! -e go ]; do sleep 0.2; done; touch {output}"
""")
    programs = {name: shutil.which(name) for name in ("sbatch", "squeue")}
    (flow.commands / "sbatch").write_text(LIMITED_SBATCH.format(folder=flow.folder, **programs))
    process = flow.start()
    wait_until(lambda: "wait until SLURM takes them: 3" in flow.said)
    assert flow.lines("asked")[:4] == ["5", "2", "2", "1"]
    flow.touch("go")
    assert process.wait(240) == 0, flow.said
    assert flow.lines("starts") == ["start"] * 5
    assert "Error in rule" not in flow.said


def test_a_limit_that_other_jobs_of_the_user_fill_is_waited_for_as_well(workflow: Make) -> None:
    flow = workflow("""
rule one:
    output: "done"
    shell: "touch {output}"
""")
    programs = {name: shutil.which(name) for name in ("sbatch", "squeue")}
    for _ in range(2):
        wrapped = f"--wrap=while [ ! -e {flow.folder}/go ]; do sleep 0.2; done"
        other = ["sbatch", "--mem=50", f"--chdir={flow.folder}", "--output=/dev/null", wrapped]
        subprocess.run(other, check=True, capture_output=True)
    (flow.commands / "sbatch").write_text(LIMITED_SBATCH.format(folder=flow.folder, **programs))
    process = flow.start()
    wait_until(lambda: "wait until SLURM takes them: 1" in flow.said)
    time.sleep(3)
    polls = flow.calls("squeue")
    assert all(later - earlier > 0.95 for earlier, later in itertools.pairwise(polls))  # also while it waits
    flow.touch("go")
    assert process.wait(240) == 0, flow.said
    assert "Error in rule" not in flow.said


def test_a_job_in_a_partition_that_is_hidden_from_users_is_seen_by_its_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, run = pwd.getpwnam("nobody"), subprocess.run
    as_user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    job = ["sbatch", "--parsable", "--mem=50", "--chdir=/", "--output=/dev/null", "--wrap=sleep 600"]
    name = run([*as_user, *job], check=True, capture_output=True, text=True).stdout.strip()
    partition = run(["squeue", "-h", "-o", "%P", "-j", name], check=True, capture_output=True, text=True).stdout.strip()
    monkeypatch.setattr(subprocess, "run", lambda command, **options: run([*as_user, *command], **options))
    monkeypatch.setattr(os, "getuid", lambda: user.pw_uid)
    try:
        run(["scontrol", "update", f"PartitionName={partition}", "Hidden=YES"], check=True)
        plain = run([*as_user, "squeue", "-h", "-o", "%i"], check=True, capture_output=True, text=True).stdout
        assert plain.split() == []
        states = Slurm(tmp_path).states([])
    finally:
        run(["scontrol", "update", f"PartitionName={partition}", "Hidden=NO"], check=True)
        run(["scancel", name], check=True)
    assert states is not None
    assert states[name].state in ("PENDING", "RUNNING")


def test_the_ranks_of_a_job_on_two_nodes_know_each_other(workflow: Make) -> None:
    flow = workflow("""
rule ranks:
    output: "done"
    resources: nodes=2, tasks=4, cpus_per_task=1, mem_mb=200
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


def test_setup_lines_run_before_the_ranks_which_know_their_deadline(
    workflow: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SBATCH_EXPORT", "SLURM_EXPORT_ENV"):  # with which neither variables nor lines would reach them
        monkeypatch.setenv(name, "NONE")
    monkeypatch.setenv("TO_WHOM", "sir")
    flow = workflow("""
rule set_up:
    output: "done"
    resources:
        slurm_setup="export GREETING='good day'\\nsleep 4; unset SLURM_JOB_END_TIME",
        slurm_extra="--comment=hello --exclusive",
        runtime=5,
    shell: "echo $GREETING $TO_WHOM $((JOB_DEADLINE - $(date +%s))) > {output}"
""")
    assert flow.run() == 0, flow.said
    *words, left_s = flow.lines("done")[0].split()
    assert words == ["good", "day", "sir"]
    assert 240 < int(left_s) <= 297  # counted from the start of the job


def test_a_failed_rank_ends_the_others_and_is_named_with_its_log(workflow: Make) -> None:
    flow = workflow("""
rule fails:
    output: "done"
    resources: nodes=2
    shell: "[ $RANK = 0 ] && sleep 100; echo the reason >&2; exit 3"
""")
    assert flow.run(timeout_s=60) == 1
    assert re.search(r"is FAILED: its command failed, on n\S+, rank 1 on n\d+ ended with exit code 3", flow.said)
    assert "    the reason\n" in flow.said
    assert "Traceback" not in flow.said


def test_a_rank_killed_with_sigkill_ends_the_others_within_60_s_and_is_named(workflow: Make) -> None:
    flow = workflow("""
rule killed:
    output: "done"
    resources: nodes=2
    shell: "if [ $RANK = 0 ]; then sleep 100; touch survived; fi; kill -9 $$"
""")
    assert flow.run(timeout_s=60) == 1
    assert re.search(r"rank 1 on n\d+ was ended by SIGKILL", flow.said)
    assert "mem_mb" not in flow.said.partition("is FAILED")[2]
    assert not (flow.folder / "survived").exists()


HUNGRY = """
rule hungry:
    output: "done"
    resources: mem_mb=100
    shell: "exec python3 -c 'import time; held = b\\"1\\" * (HOLD'"
"""


def test_a_job_that_needs_too_much_memory_says_so(workflow: Make) -> None:
    flow = workflow(HUNGRY.replace("HOLD", "400_000_000); time.sleep(30)"))
    assert flow.run(timeout_s=60) == 1
    assert "it used more memory than it had asked for; raise mem_mb" in flow.said


def test_of_a_command_that_the_kernel_killed_it_is_said_how_much_it_held(workflow: Make) -> None:
    """SLURM says nothing of memory then."""
    flow = workflow(HUNGRY.replace("HOLD", "95_000_000); import os; os.kill(os.getpid(), 9)"))
    assert flow.run(timeout_s=60) == 1
    (held_mb,) = re.findall(
        r"was ended by SIGKILL \(out of memory\? its largest process had held (\d+) MB\)", flow.said
    )
    assert 95 < int(held_mb) < 200


def test_what_slurm_will_never_run_is_one_line_with_its_reason_and_the_others_go_on(workflow: Make) -> None:
    flow = workflow("""
rule all:
    input: "good", "nowhere", "large", "endless"
    localrule: True
rule nowhere:
    output: "nowhere"
    resources: slurm_partition="nowhere"
    shell: "touch {output}"
rule large:
    output: "large"
    resources: mem_mb=1000000
    shell: "touch {output}"
rule endless:
    output: "endless"
    resources: runtime=100000
    shell: "touch {output}"
rule good:
    output: "good"
    shell: "while [ ! -e go ]; do sleep 0.2; done; touch {output}"
""")
    flow.retries = []
    process = flow.start()
    wait_until(lambda: "rule good" in flow.said)
    begin = time.monotonic()
    wait_until(lambda: flow.said.count("Error in rule") == 3)
    assert time.monotonic() - begin < 10
    flow.touch("go")
    assert process.wait(60) == 1
    assert (flow.folder / "good").exists()
    assert flow.said.count("Error in rule") == 3  # no other attempt would end otherwise
    assert flow.said.count("Invalid partition name specified") == 1
    assert flow.said.count("Requested node configuration is not available") == 1
    assert len(re.findall(r"would wait forever, so it was cancelled; SLURM's reason: Partition\w+\. ", flow.said)) == 1


@pytest.mark.parametrize(
    ("rule", "part"),
    [
        ("    output: 'done'\n    script: 'script.py'\n", "script"),
        ("    output: 'done'\n    run: pass\n", "run"),
        (f"    benchmark: 'times'\n{PRESENT}", "benchmark"),
        (f"    group: 'two'\n{PRESENT}", "group"),
        (f"    resources: mpi='mpiexec'\n{PRESENT}", "resources: mpi"),
        (f"    resources: slurm_cluster='other'\n{PRESENT}", "resources: slurm_cluster"),
    ],
)
def test_what_it_cannot_run_is_refused_by_name(workflow: Make, rule: str, part: str) -> None:
    flow = workflow(f"rule odd:\n{rule}")
    flow.touch("script.py")
    flow.retries = []
    assert flow.run() == 1
    assert len(re.findall(rf"(rule odd|group two): the executor submitit cannot run `{part}`", flow.said)) == 1


@pytest.mark.parametrize("asked", [[], ["--mem-per-cpu=300"], ["--mem=300"], ["--gpus-per-node=1"]])
def test_snakemake_may_itself_run_in_a_job_whatever_that_one_asked_for(workflow: Make, asked: list[str]) -> None:
    flow = workflow("""
rule one:
    output: "done"
    resources: mem_mb=100, nodes=2
    shell: "touch {output}.$RANK; [ $RANK != 0 ] || touch {output}"
""")
    snakemake = f"{sys.executable} -m snakemake --profile {ROOT}/slurm --retries 0 --seconds-between-status-checks 1"
    script = f"PATH={flow.path} PYTHONPATH={ROOT}/src {snakemake} > output 2>&1"
    outside = ["sbatch", "--wait", f"--chdir={flow.folder}", "--output=/dev/null", *asked, f"--wrap={script}"]
    done = subprocess.run(outside, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, flow.said + done.stderr
    assert sorted(path.name for path in flow.folder.glob("done*")) == ["done", "done.0", "done.1"]


@pytest.mark.parametrize("name", ["local", "debug"])
def test_the_same_workflow_runs_without_slurm(workflow: Make, name: str) -> None:
    flow = workflow("""
rule all:
    input: "done", "failed"
    localrule: True
rule one:
    output: "done"
    shell: "echo $RANK $WORLD_SIZE > {output}"
rule two:
    output: "failed"
    shell: "echo the reason >&2; exit 3"
""")
    assert flow.run("--submitit-cluster", name) == 1, flow.said
    assert flow.lines("done") == ["0 1"]
    assert re.search(r"its command failed, rank 0 on \S+ ended with exit code 3", flow.said)
    assert not flow.calls("sbatch") + flow.calls("squeue")


def test_two_ranks_run_as_two_local_processes(workflow: Make) -> None:
    flow = workflow("""
rule two:
    output: "done"
    resources: nodes=2
    shell: "echo $RANK $WORLD_SIZE > rank$RANK; [ $RANK = 1 ] || touch {output}"
""")
    assert flow.run("--submitit-cluster", "local") == 0, flow.said
    assert flow.lines("rank0") + flow.lines("rank1") == ["0 2", "1 2"]
