"""Why a job failed, in plain words."""

import re
from pathlib import Path

from snakemake_executor_plugin_submitit.cluster import JobState, rank_failures

LOG_LINES = 20
OUT_OF_MEMORY = re.compile(r"exceeded (job )?memory limit|oom.kill|out of memory", re.IGNORECASE)
"""What slurmstepd writes; on many sites the state says only FAILED."""
MEANING = {
    "BOOT_FAIL": "its node did not start",
    "CANCELLED": "it was cancelled (scancel)",
    "DEADLINE": "its deadline passed",
    "FAILED": "its command failed",
    "NODE_FAIL": "a node failed under it",
    "OUT_OF_MEMORY": "it used more memory than it had asked for; raise mem_mb",
    "PREEMPTED": "it gave way to a job of higher priority",
    "TIMEOUT": "it reached its time limit; raise runtime",
    "LOST": "it left the queue without a result, and SLURM keeps no record of it",
}


def failure_message(folder: Path, job_id: str, state: JobState) -> str:
    """State, exit code, the rank that failed first, and the end of its log."""
    if state.hopeless:
        return f"job {job_id} can never start, so it was cancelled; SLURM's reason: {state.reason}"
    rank, said = next(rank_failures(folder, job_id), (0, ""))
    code, _, signal_number = state.exit_code.partition(":")
    ending = f"signal {signal_number}" if signal_number not in ("", "0") else f"exit code {code}"
    facts = [f"job {job_id} is {state.state}: {MEANING.get(state.state, 'it did not complete')} ({ending})"]
    facts += [f"on {state.nodes}"] if state.nodes else []
    facts += [said] if said else []
    tail = _tail(folder / f"{job_id}_{rank}_log.err")
    if state.state == "FAILED" and any(OUT_OF_MEMORY.search(line) for line in tail):
        facts += [MEANING["OUT_OF_MEMORY"]]
    return "\n".join([", ".join(facts), *tail])


def _tail(log: Path) -> list[str]:
    """The last lines of a log, without submitit's own traceback below them."""
    try:
        text = log.read_text(errors="replace")
    except OSError:
        return []
    lines = [line for line in text.partition("submitit ERROR")[0].splitlines() if line.strip()]
    after = [line for line in text.splitlines() if line.startswith(("srun: error:", "slurmstepd: error:"))]
    kept = (lines + [line for line in after if line not in lines])[-LOG_LINES:]
    return [f"{log} ends with:", *(f"    {line}" for line in kept)] if kept else [f"{log} is empty"]
