"""The executor `submitit` with the profile `slurm` and jobs on this machine: what needs no SLURM to be seen."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from snakemake.jobs import Job
from snakemake.settings.types import DeploymentMethod

from snakemake_executor_plugin_submitit.request import KINDS, task_of
from submitit_ranks.errors import NotSubmitted

ROOT = Path(__file__).resolve().parents[2]
# Runs until the file `go` appears, and says with which parameter it started.
PATIENT = """
rule patient:
    input: ancient("old"), "new"
    output: "done"
    params: digest="PARAM"
    shell: "echo PARAM >> starts; while [ ! -e go ]; do sleep 0.1; done; echo ok > {output}"
"""
QUIET = PATIENT.replace("echo PARAM", "echo start")  # a command that does not show the parameter


class Flow:
    """A workflow in a folder, and Snakemake in it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.output = folder, folder / "output"
        self.processes: list[subprocess.Popen[bytes]] = []
        self.write(QUIET)
        for name in ("old", "new"):
            (folder / name).touch()

    def write(self, rules: str, param: str = "first") -> None:
        (self.folder / "Snakefile").write_text(rules.replace("PARAM", param))

    def start(
        self, *arguments: str, program: Sequence[str] = ("-m", "snakemake"), **variables: str
    ) -> subprocess.Popen[bytes]:
        """In a process group of its own, as a terminal has it."""
        command = [sys.executable, *program, "--profile", str(ROOT / "slurm"), "--retries", "0"]
        command += ["--submitit-cluster", "local", "--seconds-between-status-checks", "1", "--latency-wait", "5"]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("SNAKEMAKE")}
        with self.output.open("ab") as output:
            process = subprocess.Popen(
                [*command, *arguments],
                cwd=self.folder,
                env=environment | variables,
                stdout=output,
                stderr=output,
                process_group=0,
            )
        self.processes.append(process)
        return process

    def killed_while_it_runs(self) -> None:
        """Snakemake starts the job, and is killed."""
        process = self.start()
        wait_until(self.starts)
        process.kill()
        process.wait()

    def starts(self) -> list[str]:
        path = self.folder / "starts"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def said(self) -> str:
        return self.output.read_text()


@pytest.fixture
def flow(tmp_path: Path) -> Iterator[Flow]:
    made = Flow(tmp_path)
    yield made
    (tmp_path / "go").touch()  # what was left behind ends
    for process in made.processes:
        process.kill()
        process.wait()


def wait_until(condition: Callable[[], object], timeout_s: float = 60) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "what the test waits for did not come"
        time.sleep(0.1)


def test_after_kill_9_a_plain_restart_takes_over_the_job(flow: Flow) -> None:
    flow.killed_while_it_runs()
    (flow.folder / "old").touch()  # its time does not count for Snakemake either
    process = flow.start()
    wait_until(lambda: "Took over job" in flow.said)
    (flow.folder / "go").touch()
    assert process.wait(60) == 0, flow.said
    assert flow.starts() == ["start"]


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("when", ['Path("done").exists()', 'not Path("starts").exists()'])
def test_a_job_is_taken_over_though_its_input_counts_only_before_or_after(flow: Flow, when: str, ended: bool) -> None:
    flow.write("from pathlib import Path\n" + QUIET.replace('"new"', f'ancient("new") if {when} else "new"'))
    flow.killed_while_it_runs()
    if ended:
        (flow.folder / "go").touch()
        wait_until(lambda: list((flow.folder / ".snakemake/submitit").glob("*_result.pkl")))
    process = flow.start()
    wait_until(lambda: "Took over job" in flow.said)
    (flow.folder / "go").touch()
    assert process.wait(60) == 0, flow.said
    assert flow.starts() == ["start"]


@pytest.mark.parametrize("change", ["params", "input"])
@pytest.mark.parametrize("ended", [False, True])
def test_a_job_of_older_params_or_input_is_not_taken_over(flow: Flow, change: str, ended: bool) -> None:
    flow.killed_while_it_runs()
    if ended:
        (flow.folder / "go").touch()
        wait_until(lambda: list((flow.folder / ".snakemake/submitit").glob("*_result.pkl")))
    if change == "params":
        flow.write(QUIET, "second")
    else:
        (flow.folder / "new").touch()
    process = flow.start()
    wait_until(lambda: flow.starts() == ["start"] * 2)
    (flow.folder / "go").touch()
    assert process.wait(60) == 0, flow.said
    assert "is of an older command, params or input of rule patient: not taken over" in flow.said
    assert "Took over" not in flow.said


def test_a_second_snakemake_is_refused_in_one_line_and_ends_no_job_of_the_first(flow: Flow) -> None:
    first = flow.start()
    wait_until(flow.starts)
    said = len(flow.said)
    assert flow.start().wait(60) == 1
    refusal = [line for line in flow.said[said:].splitlines() if "another Snakemake watches its jobs here" in line]
    assert len(refusal) == 1
    assert "Traceback" not in flow.said
    (flow.folder / "go").touch()
    assert first.wait(60) == 0, flow.said
    assert flow.starts() == ["start"]


def test_ctrl_c_ends_no_job_of_an_earlier_snakemake_that_was_not_asked_for(flow: Flow) -> None:
    other = 'rule other:\n    output: "other"\n    shell: "echo other >> starts; sleep 100"\n'
    flow.killed_while_it_runs()
    flow.write(QUIET + other)
    process = flow.start("--", "other")
    wait_until(lambda: "other" in flow.starts())
    process.send_signal(signal.SIGINT)
    process.wait(60)
    (left,) = re.findall(r"still run or wait: 1\. To end them: kill (\d+)\n", flow.said)
    flow.write(QUIET)
    process = flow.start()
    wait_until(lambda: f"Took over job {left} " in flow.said)
    (flow.folder / "go").touch()
    assert process.wait(60) == 0, flow.said
    assert flow.starts() == ["start", "other"]


def test_what_an_earlier_snakemake_left_behind_and_nobody_asks_for_is_named_at_the_end(flow: Flow) -> None:
    flow.killed_while_it_runs()
    flow.write('rule other:\n    output: "other"\n    shell: "touch {output}"\n')
    assert flow.start().wait(60) == 0, flow.said
    (left,) = re.findall(r"still run or wait: 1\. To end them: kill (\d+)\n", flow.said)
    os.kill(int(left), signal.SIGTERM)
    wait_until(lambda: not Path(f"/proc/{left}").exists())
    (flow.folder / "other").unlink()
    assert flow.start().wait(60) == 0, flow.said
    assert flow.said.count("still run or wait") == 1


# Saves for longer than submitit lets a rank live after a SIGINT, with the help of a process that a signal would end.
SAVING = """
import signal, subprocess, sys, time
helper = subprocess.Popen(["sleep", "100"])
def save(*_):
    time.sleep(3)
    print("with" if helper.poll() is None else "without", "its helper", file=open("saved", "a"))
    helper.kill()
    sys.exit(75)
signal.signal(signal.SIGTERM, save)
print("start", file=open("starts", "a"))
time.sleep(100)
"""


@pytest.mark.parametrize("terminal", [True, False])
def test_ctrl_c_lets_a_command_save_and_leaves_alone_what_it_needs_for_that(flow: Flow, terminal: bool) -> None:
    """A terminal sends the signal to all processes that it started, the jobs on this machine included."""
    (flow.folder / "saving.py").write_text(SAVING)
    command = f"[ -e saved ] || exec {sys.executable} saving.py; touch {{output}}"
    flow.write(f'rule one:\n    output: "done"\n    shell: "{command}"\n')
    process = flow.start()
    wait_until(flow.starts)
    (os.killpg if terminal else os.kill)(process.pid, signal.SIGINT)
    assert process.wait(60) == 1
    wait_until((flow.folder / "saved").exists)
    wait_until(lambda: list((flow.folder / ".snakemake/submitit").glob("*_result.pkl")))  # its rank saw its end
    assert (flow.folder / "saved").read_text() == "with its helper\n"
    assert flow.start().wait(60) == 0, flow.said
    assert flow.starts() == ["start"]


def test_a_time_limit_on_this_machine_reaches_the_command_as_sigterm(flow: Flow) -> None:
    (flow.folder / "saving.py").write_text(SAVING)
    flow.write(
        f'rule one:\n    output: "done"\n    resources: runtime=1\n    shell: "exec {sys.executable} saving.py"\n'
    )
    assert flow.start().wait(90) == 1
    assert (flow.folder / "saved").read_text() == "with its helper\n"
    assert "it stopped early to be started again" in flow.said


def test_a_job_on_this_machine_sees_as_many_gpus_as_it_asks_for(flow: Flow) -> None:
    flow.write(
        'rule one:\n    output: "done"\n    resources: gpu=2\n    shell: "echo $CUDA_VISIBLE_DEVICES > {output}"\n'
    )
    assert flow.start().wait(60) == 0, flow.said
    assert (flow.folder / "done").read_text() == "0,1\n"


def test_a_sigterm_for_the_rank_alone_reaches_its_command(flow: Flow) -> None:
    """With proctrack/cgroup SLURM signals only what srun started, and that is submitit."""
    (flow.folder / "told.py").write_text(
        "import os, signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))\n"
        "print(os.getppid(), file=open('starts', 'w'), flush=True)\n"
        "signal.pause()\n"
    )
    flow.write(f'rule one:\n    output: "done"\n    shell: "exec {sys.executable} told.py"\n')
    process = flow.start()
    wait_until(flow.starts)
    os.kill(int(flow.starts()[0]), signal.SIGTERM)
    assert process.wait(60) == 1
    assert "it stopped early to be started again" in flow.said
    assert "ended with exit code 75" in flow.said


def test_the_deadline_counts_from_the_start_of_the_job_not_of_the_rank(flow: Flow) -> None:
    flow.write('rule one:\n    output: "done"\n    resources: runtime=2\n    shell: "echo $JOB_DEADLINE > {output}"\n')
    assert flow.start(JOB_STARTED="1000").wait(60) == 0, flow.said
    assert (flow.folder / "done").read_text() == "1120\n"


LIMIT = "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, ...)"


@pytest.mark.parametrize(
    ("resource", "shown"),
    [
        ("nodes='two'", "nodes is 'two'; it takes a whole number from 1 on"),
        ("nodes=0", "nodes is 0; it takes a whole number from 1 on"),
        ("tasks_per_node=0", "tasks_per_node is 0; it takes a whole number from 1 on"),
        ("cpus_per_task='4a'", "cpus_per_task is '4a'; it takes a whole number from 1 on"),
        ("gpu='a100:2'", "gpu is 'a100:2'; it takes a whole number from 0 on"),
        ("nodes=3, tasks=2", "2 tasks on 3 nodes; every node takes equally many"),
        ('slurm_extra="--comment=it\'s"', "slurm_extra: No closing quotation"),
    ],
)
def test_a_resource_that_cannot_be_read_is_named_and_others_go_on(flow: Flow, resource: str, shown: str) -> None:
    good = 'rule good:\n    output: "good"\n    shell: "touch {output}"\n'
    flow.write(f'rule bad:\n    output: "bad"\n    resources: {resource}\n    shell: "touch {{output}}"\n' + good)
    assert flow.start("--keep-going", "--", "bad", "good").wait(60) == 1
    assert f"rule bad: {shown}" in flow.said
    assert "Traceback" not in flow.said
    assert (flow.folder / "good").exists()
    assert not (flow.folder / "bad").exists()


def refusing(flow: Flow, *said: str) -> None:
    """Commands of a SLURM without jobs, whose sbatch says this."""
    lines = "; ".join(f'echo "{line}" >&2' for line in said)
    for name, script in (("sbatch", f"{lines}; echo >> calls; exit 1"), ("squeue", ""), ("srun", ""), ("scancel", "")):
        (flow.folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (flow.folder / name).chmod(0o755)


@pytest.mark.parametrize(
    "said",
    [
        ["sbatch: error: QOSMaxCpuPerJobLimit", LIMIT],
        ["sbatch: error: invalid partition specified: standby", "sbatch: error: Invalid partition name specified"],
        # As a site's own plugin answers.
        [
            "sbatch: error: Ask for GPUs with --gres here",
            "sbatch: error: Batch job submission failed: Unspecified error",
        ],
    ],
)
def test_what_no_time_will_mend_is_refused_at_once_though_slurm_speaks_of_limits_and_names_a_standby(
    flow: Flow, said: list[str]
) -> None:
    refusing(flow, *said)
    flow.write('rule one:\n    output: "done"\n    shell: "touch {output}"\n')
    process = flow.start("--submitit-cluster", "slurm", PATH=f"{flow.folder}:{os.environ['PATH']}")
    assert process.wait(60) == 1
    assert f"not submitted: {'; '.join(said)}. " in flow.said
    assert len((flow.folder / "calls").read_text().splitlines()) == 1


def test_a_limit_of_the_site_is_named_where_no_job_of_the_user_will_make_room(flow: Flow) -> None:
    refusing(flow, LIMIT)
    flow.write('rule all:\n    input: "1", "2"\nrule one:\n    output: "{n}"\n    shell: "touch {output}"\n')
    process = flow.start("--submitit-cluster", "slurm", PATH=f"{flow.folder}:{os.environ['PATH']}")
    assert process.wait(60) == 1
    assert flow.said.count(f"not submitted: {LIMIT}") == 3  # that they wait, and each once
    assert len((flow.folder / "calls").read_text().splitlines()) == 4  # both at once, one alone; each again at a poll
    assert not list((flow.folder / ".snakemake/submitit").glob("*.pkl"))


def test_alike_jobs_that_no_limit_allows_are_refused_together(flow: Flow) -> None:
    refusing(flow, "sbatch: error: QOSMaxCpuPerUserLimit", LIMIT)
    flow.write(
        'rule all:\n    input: expand("{n}", n=range(12))\nrule one:\n    output: "{n}"\n    shell: "touch {output}"\n'
    )
    begin = time.monotonic()
    slurm = {"PATH": f"{flow.folder}:{os.environ['PATH']}"}
    process = flow.start("--submitit-cluster", "slurm", "--seconds-between-status-checks", "5", **slurm)
    assert process.wait(60) == 1
    assert time.monotonic() - begin < 30  # one each poll would take a minute
    assert flow.said.count("Error in rule one") == 12


def test_that_jobs_wait_is_said_once_though_the_site_counts_in_its_answers(flow: Flow) -> None:
    flow.write(f"rule one:\n{TOUCH}")
    (flow.folder / "sbatch").write_text(
        "#!/bin/sh\necho >> calls\necho sbatch: error: retry later: $(wc -l < calls) jobs before yours >&2\nexit 1\n"
    )
    for name, script in {"squeue": "", "srun": "", "sacct": "", "scancel": ""}.items():
        (flow.folder / name).write_text(f"#!/bin/sh\n{script}\n")
    for name in ("sbatch", "squeue", "srun", "sacct", "scancel"):
        (flow.folder / name).chmod(0o755)
    flow.start("--submitit-cluster", "slurm", PATH=f"{flow.folder}:{os.environ['PATH']}")
    wait_until(lambda: (flow.folder / "calls").exists() and len((flow.folder / "calls").read_text()) > 3)
    assert flow.said.count("Jobs that wait until SLURM takes them: 1; ") == 1


# One job is prepared when its folder has become a file; another one runs meanwhile.
UNPREPARED = """
rule all:
    input: "good", "blocked/bad"
    localrule: True
rule ready:
    output: "ready"
    localrule: True
    shell: "while [ ! -e starts ]; do sleep 0.1; done; touch blocked {output}"
rule bad:
    input: "ready"
    output: "blocked/bad"
    shell: "touch {output}"
rule good:
    output: "good"
    shell: "echo start >> starts; while [ ! -e go ]; do sleep 0.1; done; touch {output}"
"""


def test_a_job_that_cannot_be_prepared_ends_no_other(flow: Flow) -> None:
    flow.write(UNPREPARED)
    process = flow.start()
    wait_until(lambda: "Error in rule bad" in flow.said)
    (flow.folder / "go").touch()
    assert process.wait(60) == 1
    assert (flow.folder / "good").exists(), flow.said


def test_a_rank_that_fails_ends_the_others_here_too(flow: Flow) -> None:
    flow.write(
        'rule two:\n    output: "done"\n    resources: nodes=2\n'
        '    shell: "if [ $RANK = 0 ]; then sleep 30; touch survived; else exit 3; fi"\n'
    )
    begin = time.monotonic()
    assert flow.start().wait(60) == 1
    assert time.monotonic() - begin < 25
    assert not (flow.folder / "survived").exists()
    assert "rank 1 on" in flow.said
    assert "ended with exit code 3" in flow.said


POLL = """
import sys
from snakemake.cli import main
from snakemake_executor_plugin_submitit.executor import SubmititExecutor

asked, states = [], SubmititExecutor._states

def stale(executor, names):
    asked.append(names)
    if len(asked) == 3:
        raise OSError(116, "Stale file handle")
    return states(executor, names)

SubmititExecutor._states = stale
main(sys.argv[1:])
"""


def test_jobs_that_an_error_leaves_unwatched_are_named(flow: Flow) -> None:
    (flow.folder / "poll.py").write_text(POLL)
    flow.write(QUIET)
    assert flow.start(program=["poll.py"]).wait(60) == 1
    assert "Jobs that nothing here waits for still run or wait: 1. To end them: kill " in flow.said


def test_what_one_job_may_have_of_an_account_no_colleague_makes_room_for(flow: Flow) -> None:
    refusing(flow, "sbatch: error: MaxCpuPerAccount", LIMIT)
    flow.write(f"rule one:\n{TOUCH}")
    process = flow.start("--submitit-cluster", "slurm", PATH=f"{flow.folder}:{os.environ['PATH']}")
    assert process.wait(60) == 1
    assert len((flow.folder / "calls").read_text().splitlines()) == 2  # and once again when no job was there to end


def test_what_a_wrapper_of_sbatch_says_beside_it_is_no_answer(flow: Flow) -> None:
    refusing(flow, "Welcome! Mind the job array limit.", "sbatch: error: invalid partition specified: gold")
    flow.write(f"rule one:\n{TOUCH}")
    process = flow.start("--submitit-cluster", "slurm", PATH=f"{flow.folder}:{os.environ['PATH']}")
    assert process.wait(60) == 1
    assert "not submitted: sbatch: error: invalid partition specified: gold. " in flow.said
    assert "Jobs that wait" not in flow.said


def slurm_of_one_job(flow: Flow, reason: str = "Priority") -> dict[str, str]:
    """Commands of a SLURM whose only job waits for this; the command that the file `slow` names takes 4 s."""
    folder, log = flow.folder, flow.folder / ".snakemake/submitit/5.out"
    row = f"5|PENDING|0||{reason}|main|{log}|"
    scripts = {
        "sbatch": "(folder / 'submitted').touch(); print('Submitted batch job 5')",
        "squeue": f"print({row!r} if (folder / 'submitted').exists() else ''); print(file=open(folder / 'polls', 'a'))",
        "scancel": "print(*sys.argv[1:], file=open(folder / 'cancelled', 'a'))",
        "srun": "",
        "sacct": "",
    }
    for name, script in scripts.items():
        slow = f"folder, slow = Path({str(folder)!r}), Path({str(folder / 'slow')!r})\n"
        slow += f"if slow.exists() and slow.read_text() == {name!r}: (folder / 'begun').touch(); time.sleep(4)\n"
        (folder / name).write_text(f"#!{sys.executable}\nimport sys, time\nfrom pathlib import Path\n{slow}{script}\n")
        (folder / name).chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def test_what_slurm_holds_back_is_named_once_and_left_in_the_queue(flow: Flow) -> None:
    variables = slurm_of_one_job(flow, "QOSMaxCpuPerUserLimit")
    flow.write(f"rule one:\n{TOUCH}")
    process = flow.start("--submitit-cluster", "slurm", **variables)
    wait_until(lambda: (flow.folder / "polls").exists() and len((flow.folder / "polls").read_text()) > 3)
    assert flow.said.count("SLURM holds jobs back; its reason: QOSMaxCpuPerUserLimit") == 1
    assert not (flow.folder / "cancelled").exists()
    os.killpg(process.pid, signal.SIGINT)
    process.wait(60)
    assert (flow.folder / "cancelled").read_text() == "--quiet 5\n"


def test_a_job_that_a_node_could_not_launch_is_cancelled_and_tried_again(flow: Flow) -> None:
    variables = slurm_of_one_job(flow, "launch failed requeued held")
    flow.write(f"rule one:\n{TOUCH}")
    assert flow.start("--submitit-cluster", "slurm", "--retries", "1", **variables).wait(60) == 1
    assert (flow.folder / "cancelled").read_text() == "--quiet 5\n" * 2
    assert flow.said.count("so it was cancelled; SLURM's reason: launch failed requeued held. ") == 2


@pytest.mark.parametrize("slow", ["sbatch", "squeue", "scancel"])
def test_a_second_ctrl_c_keeps_no_job_from_being_cancelled(flow: Flow, slow: str) -> None:
    variables = slurm_of_one_job(flow)
    flow.write(f"rule one:\n{TOUCH}")
    if slow == "sbatch":
        (flow.folder / "slow").write_text(slow)
    process = flow.start("--submitit-cluster", "slurm", **variables)
    if slow != "sbatch":
        wait_until((flow.folder / "polls").exists)
        (flow.folder / "slow").write_text(slow)
        os.killpg(process.pid, signal.SIGINT)
    wait_until((flow.folder / "begun").exists)
    for _ in range(2):
        time.sleep(0.7)
        os.killpg(process.pid, signal.SIGINT)
    process.wait(60)
    assert (flow.folder / "cancelled").read_text() == "--quiet 5\n", flow.said


@pytest.mark.parametrize("limit", ["AssocGrpSubmitJobsLimit", "MaxSubmitJobsPerAccount"])
def test_at_a_limit_of_an_account_others_may_make_room(flow: Flow, limit: str) -> None:
    refusing(flow, f"sbatch: error: {limit}", LIMIT)
    flow.write(f"rule one:\n{TOUCH}")
    flow.start("--submitit-cluster", "slurm", PATH=f"{flow.folder}:{os.environ['PATH']}")
    wait_until(lambda: (flow.folder / "calls").exists() and len((flow.folder / "calls").read_text()) > 2)
    assert flow.said.count("Jobs that wait until SLURM takes them: 1") == 1
    assert "Error in rule" not in flow.said


@pytest.mark.parametrize("terminal", [True, False])
def test_ctrl_c_lets_the_job_in_snakemakes_own_process_save_and_starts_no_other(flow: Flow, terminal: bool) -> None:
    (flow.folder / "saving.py").write_text(SAVING)
    rule = f'rule one:\n    output: "{{n}}"\n    shell: "exec {sys.executable} saving.py"\n'
    flow.write(f'rule all:\n    input: "1", "2"\n{rule}')
    process = flow.start("--submitit-cluster", "debug")
    wait_until(flow.starts)
    (os.killpg if terminal else os.kill)(process.pid, signal.SIGINT)
    assert process.wait(20) == 1, flow.said
    assert (flow.folder / "saved").read_text() == "with its helper\n"  # before Snakemake ended
    assert flow.starts() == ["start"]
    assert "Traceback" not in flow.said


def test_where_jobs_of_another_kind_of_cluster_were_left_nothing_is_started(flow: Flow) -> None:
    flow.killed_while_it_runs()
    refusing(flow, "never asked")
    slurm = {"PATH": f"{flow.folder}:{os.environ['PATH']}"}
    assert flow.start("--submitit-cluster", "slurm", **slurm).wait(60) == 1
    assert "submitit: jobs of --submitit-cluster local were left here, and may still run; go on with it" in flow.said
    assert not (flow.folder / "calls").exists()
    assert flow.start("--submitit-cluster", "debug").wait(60) == 1
    again = flow.start()
    wait_until(lambda: "Took over job" in flow.said)
    (flow.folder / "go").touch()
    assert again.wait(60) == 0, flow.said
    assert flow.starts() == ["start"]
    (flow.folder / "done").unlink()
    assert flow.start("--submitit-cluster", "debug").wait(60) == 0, flow.said


TOUCH = '    output: "done"\n    shell: "touch {output}"\n'
PIPED = 'rule all:\n    input: "done"\nrule one:\n    output: pipe("p")\n    shell: "echo > {output}"\n'


@pytest.mark.parametrize(
    ("rules", "arguments", "part"),
    [
        ('rule odd:\n    output: "done"\n    notebook: "odd.py.ipynb"\n', [], "notebook"),
        ('rule odd:\n    output: "done"\n    wrapper: "file:wrapper"\n', [], "wrapper"),
        (f'rule odd:\n    shadow: "minimal"\n{TOUCH}', [], "shadow"),
        (f'rule odd:\n    envmodules: "apptainer"\n{TOUCH}', ["--sdm", "env-modules"], "envmodules"),
        (f"rule odd:\n    cache: True\n{TOUCH}", ["--cache"], "cache"),
        ('rule odd:\n    output: "done"\n    shell: "ls {resources.tmpdir} > {output}"\n', [], "resources.tmpdir"),
        (f'rule odd:\n    resources: clusters="other"\n{TOUCH}', [], "resources: clusters"),
        (f"rule odd:\n    resources: gpu=2, cpus_per_gpu=4\n{TOUCH}", [], "resources: cpus_per_gpu"),
        (f"rule odd:\n    resources: gpu=2, tasks_per_gpu=1\n{TOUCH}", [], "resources: tasks_per_gpu"),
        (PIPED + 'rule two:\n    input: "p"\n    output: "done"\n    shell: "cp {input} {output}"\n', [], "group"),
    ],
)
def test_what_only_snakemake_could_do_on_a_node_is_refused_by_name_and_once(
    flow: Flow, rules: str, arguments: list[str], part: str
) -> None:
    for name in ("odd.py.ipynb", "wrapper/wrapper.py"):
        (flow.folder / name).parent.mkdir(exist_ok=True)
        (flow.folder / name).write_text('{"metadata": {"language_info": {"name": "python"}}, "cells": []}')
    flow.write(rules)
    process = flow.start("--retries", "5", *arguments, SNAKEMAKE_OUTPUT_CACHE=str(flow.folder / "cache"))
    assert process.wait(60) == 1, flow.said
    assert flow.said.count(f": the executor submitit cannot run `{part}`") == 1, flow.said
    assert not (flow.folder / "done").exists()


@pytest.mark.parametrize(
    ("method", "directive", "part"),
    [(DeploymentMethod.CONDA, "conda_env", "conda"), (DeploymentMethod.APPTAINER, "container_img_url", "container")],
)
def test_what_snakemake_would_deploy_is_refused_only_where_it_is_told_to(
    method: DeploymentMethod, directive: str, part: str
) -> None:
    """Without conda and Apptainer Snakemake itself does not come so far as to ask the executor."""
    job = MagicMock(spec_set=Job, name="odd", **{f"is_{kind}": False for kind in KINDS}, **{directive: "given"})
    job.is_group.return_value = False
    job.configure_mock(benchmark=None, resources={})
    job.rule.cache.output = False
    job.rule.workflow.deployment_settings.deployment_method = {method}
    with pytest.raises(NotSubmitted, match=f"cannot run `{part}`"):
        task_of(job)
