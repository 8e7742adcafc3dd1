"""How a job ended: what the cluster says of it, what its ranks left behind, and both in plain words."""

import contextlib
import pickle
import re
from dataclasses import dataclass
from pathlib import Path

LOG_LINES, LOG_BYTES = 20, 100_000
TRY_AGAIN = "ended with exit code 75"
"""What a rank says of a command that stopped so (EX_TEMPFAIL of sysexits.h)."""
OUT_OF_MEMORY = re.compile(r"^(slurmstepd|srun)\S*: error:.*(memory limit|oom.kill|out of memory)", re.I | re.M)
"""What SLURM writes into the log; on many sites the state says only FAILED."""
ENDINGS = {
    "COMPLETED": "it completed",
    "BOOT_FAIL": "its node did not start",
    "CANCELLED": "it was cancelled (scancel)",
    "DEADLINE": "its deadline passed",
    "FAILED": "its command failed",
    "NODE_FAIL": "a node failed under it",
    "OUT_OF_MEMORY": "it used more memory than it had asked for; raise mem_mb",
    "PREEMPTED": "it gave way to a job of higher priority",
    "REVOKED": "another cluster took it",
    "TIMEOUT": "it reached its time limit; raise runtime",
    "TRY_AGAIN": "it stopped early to be started again, as a program does that has saved its state",
    "LOST": "it ended without a result, and nothing keeps a record of it",
}
HOPELESS = re.compile(
    r"BadConstraints|Invalid(Account|QOS)|Partition(Config|NodeLimit|TimeLimit)|DependencyNeverSatisfied"
    r"|(QOS|Assoc)\w+Per(Job|Node)(Limit)?|QOSMin\w+|(QOS|Account)NotAllowed|launch failed requeued held"
    r"|MaxMemPerLimit"
)
"""SLURM's reasons for which a job would wait in the queue forever."""
OF_A_PARTITION = re.compile(r"Partition|QOS|Assoc|BadConstraints|MaxMem")
"""Those that are of the partition that SLURM tried last, where a job may go to several."""
USUAL = ("", "None", "Priority", "Resources", "Dependency", "BeginTime", "Prolog", "Cleaning")
"""Those that pass by themselves. Others may, or not: a limit may be less than one job needs, a hold can be released."""


@dataclass(frozen=True)
class JobState:
    """What the cluster says of one job; the log's place tells whose job it is."""

    state: str
    exit: str = ""
    nodes: str = ""
    reason: str = ""
    partition: str = ""
    log: str = ""

    @property
    def over(self) -> bool:
        """Whether the job has ended for good."""
        return self.state in ENDINGS

    @property
    def hopeless(self) -> bool:
        """Whether it waits for what will never come; of a reservation that is over SLURM holds it."""
        other = "," in self.partition and OF_A_PARTITION.match(self.reason)
        never = self.state == "PENDING" and not other and HOPELESS.fullmatch(self.reason)
        return self.state == "RESV_DEL_HOLD" or bool(never)

    @property
    def not_launched(self) -> bool:
        """Whether SLURM holds it since a node could not start it: another one may."""
        return "launch failed" in self.reason

    @property
    def held(self) -> str:
        """For what it waits that may never come, or nothing."""
        if self.state in ("REQUEUE_HOLD", "SPECIAL_EXIT"):
            return self.state
        reason = self.reason.partition(",")[0]  # before what differs by job, such as nodes
        return "" if self.state != "PENDING" or reason in USUAL or self.hopeless else reason


def rank_errors(folder: Path, name: str) -> list[tuple[int, str]]:
    """Rank and error (none: empty) of the ranks of a job that returned, the first one first."""
    found = []
    for path in sorted(folder.glob(f"{name}_*_result.pkl"), key=lambda path: path.stat().st_mtime_ns):
        with contextlib.suppress(Exception):  # half written by a rank that was killed
            outcome, trace = pickle.loads(path.read_bytes())
            error = trace.strip().splitlines()[-1].partition(": ")[2] if outcome == "error" else ""
            found.append((int(path.name.split("_")[-2]), error))
    return found


def failure_message(folder: Path, name: str, state: JobState) -> str:
    """State, exit code, the rank that failed first, and the end of its log."""
    if state.hopeless:
        return f"job {name} would wait forever, so it was cancelled; SLURM's reason: {state.reason}. "
    rank, error = next((found for found in rank_errors(folder, name) if found[1]), (0, ""))
    log = folder / f"{name}_{rank}_log.err"
    text = ""
    with contextlib.suppress(OSError), log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - LOG_BYTES))
        text = stream.read().decode(errors="replace")
    # Tracebacks of submitit say nothing of the command; there are several where SLURM started the job again.
    text = re.sub(r"^submitit ERROR((?!^submitit ).)*?^RuntimeError: rank [^\n]*$", "", text, flags=re.S | re.M)
    tail = [line for line in text.splitlines() if line.strip()]
    kind = state.state
    if kind == "FAILED" and OUT_OF_MEMORY.search(text):
        kind = "OUT_OF_MEMORY"
    elif kind == "FAILED" and error.endswith(TRY_AGAIN):
        kind = "TRY_AGAIN"
    # srun's own code is that of whichever rank it ended.
    facts = [ENDINGS[kind], state.nodes and f"on {state.nodes}", error or state.exit]
    shown = [f"{log} ends with:", *(f"    {line}" for line in tail[-LOG_LINES:])] if tail else [f"{log} is empty"]
    return "\n".join([f"job {name} is {state.state}: {', '.join(filter(None, facts))}", *shown, ""])
