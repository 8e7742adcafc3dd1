"""Run a command inside the image of a study."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from types import FrameType

from scalestudy.container.binds import binds
from scalestudy.container.diagnosis import UNREADABLE, UNREADABLE_WORDS, explained
from scalestudy.container.ending import output_of
from scalestudy.container.engines import ENGINES, Accelerator, Engine, Inside
from scalestudy.errors import StudyError
from scalestudy.records.files import read_model
from scalestudy.records.image import MARK, STARTED, Around, Image

PASSED = (
    *("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT"),
    *("SLURM_*", "JOB_DEADLINE", "TORCHELASTIC_*", "CUDA_*", "NVIDIA_*", "HIP_*", "ROCR_*", "NCCL_*", "GLOO_*"),
    *("TORCH_*", "TORCHINDUCTOR_*", "OMP_*", "MKL_*", "OPENBLAS_*", "GOTO_*", "NUMEXPR_*", "KMP_*", "GOMP_*"),
    *("USER", "LOGNAME", "LANG", "LC_*", "TZ", "COLUMNS", "NO_COLOR"),
)
"""Environment variables that a command inside sees, beside those that the configuration names."""
SECRET = frozenset({"SLURM_JWT"})
"""What is passed only by its own name."""
PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")
ONLINE = (*PROXIES, *map(str.upper, PROXIES))
"""And those that only a download needs: they may hold a password."""
HANDED_ON = frozenset({*ONLINE, "TERM"})
"""Variables of its own environment that an engine hands on unasked: Apptainer in spite of ``--cleanenv``."""
CHECK_TIMEOUT_S = 120


def run_inside(record: Path, command: Sequence[str], online: bool = False, seen: Sequence[Path] = ()) -> int:
    """Run a command in the recorded image, in this working directory. Returns its exit code.

    ``online``: it may use the network. ``seen``: files that it reads, wherever they lie.

    Without an image it replaces this process. SIGTERM and SIGINT are passed on to the engine alone, which passes them
    on to the command: a signal to the whole group would also end what serves the container's files.

    Raises StudyError when there is no command, the image is not the recorded one, a bind source is missing or cannot be
    named, the number of ranks in the environment is none, or the engine fails.
    """
    image = read_model(record, Image)
    if not command:
        raise StudyError("needs a command to run after the image.json")
    if image.engine == "none":
        try:
            os.execvp(command[0], list(command))
        except OSError as error:
            raise StudyError(f"{command[0]}: cannot be run: {error.strerror or error}") from error
    if image.engine not in ENGINES:
        raise StudyError(f"{record}: found engine {image.engine}; must be one of {', '.join(ENGINES)}, none")
    engine = ENGINES[image.engine]
    inside = _inside(engine, image, online, seen)
    program = engine.command(image.reference, inside)
    _check_file(image, record)
    own = {name: value for name, value in os.environ.items() if name in inside.environment or name not in HANDED_ON}
    code = _supervised([*program, *command], own | engine.variables(inside))
    if code == UNREADABLE:  # the command itself could say nothing
        print(f"{image.reference}: {UNREADABLE_WORDS}", file=sys.stderr)
    if code in engine.failed:
        _check_engine(engine, image, inside.accelerator)
    return code


def _inside(engine: Engine, image: Image, online: bool, seen: Sequence[Path]) -> Inside:
    environment = passed(os.environ, [*image.run.environment, *(ONLINE if online else ())])
    facts = Around(engine=engine.name, engine_version=engine.version(), image_digest=image.digest)
    scratch = tempfile.gettempdir()
    return Inside(
        folder=Path.cwd(),
        binds=binds(image, Path.cwd(), Path(scratch), online, seen),
        environment=environment
        | {"HOME": scratch, "TMPDIR": scratch, MARK: facts.model_dump_json(), STARTED: f"{time.time():.3f}"},
        accelerator=_accelerator() if image.run.gpus == "auto" else "none",
        network=online or _ranks(environment) > 1,
        options=image.run.options,
    )


def _ranks(environment: Mapping[str, str]) -> int:
    found = environment.get("WORLD_SIZE", "1")
    if not found.isdecimal():
        raise StudyError(f"WORLD_SIZE: found {found} in the environment; must be the number of ranks, or not be set")
    return int(found)


def passed(environment: Mapping[str, str], named: Sequence[str]) -> dict[str, str]:
    """The variables that a command inside sees."""
    patterns = (*PASSED, *named)
    return {
        name: value
        for name, value in environment.items()
        if any(fnmatchcase(name, pattern) for pattern in patterns) and (name in named or name not in SECRET)
    }


def _accelerator() -> Accelerator:
    """Which GPUs this node has, from their device files: no program need be asked."""
    if any(Path("/dev").glob("nvidia[0-9]*")):
        return "nvidia"
    return "amd" if Path("/dev/kfd").exists() else "none"


def _check_file(image: Image, record: Path) -> None:
    """A SIF must be the very file whose digest was recorded: by size and time, since hashing it takes seconds."""
    if image.sif is None:
        return
    try:
        facts = image.sif.stat()
    except OSError as error:
        raise StudyError(
            f"{image.reference}: the image cannot be read: {error.strerror}; if it was built here, "
            f"`snakemake --cores 1 {record}` builds it anew"
        ) from error
    if (facts.st_size, int(facts.st_mtime)) != (image.size_bytes, image.modified):
        raise StudyError(
            f"{image.reference}: is not the image that was recorded ({image.digest[:19]}…): it was changed or copied "
            f"since; `snakemake --cores 1 --force {record}` looks at it anew"
        )


def _supervised(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run the engine with these variables in a session of its own, and pass signals on to it alone.

    It ends with this process.
    """
    child: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def forward(number: int, _frame: FrameType | None) -> None:
        if child is None:
            early.append(number)
        elif child.poll() is None:
            child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, forward)
    child = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, start_new_session=True)
    for missed in early:
        child.send_signal(missed)
    alive = _guarded(child.pid)
    code = child.wait()
    with suppress(BrokenPipeError):  # somebody ended the guard
        os.write(alive, b"done")
    return code if code >= 0 else 128 - code


def _guarded(engine: int) -> int:
    """Start a process that stops the engine when this one dies, however it dies; what is written here lets it go.

    The kernel's own way (PR_SET_PDEATHSIG) was seen to be lost on the engine's way into its namespaces.
    """
    ours, alive = os.pipe()
    if os.fork():
        os.close(ours)
        return alive
    os.close(alive)
    os.setsid()
    if not os.read(ours, 1):  # the other end is closed, and nothing was said
        with suppress(ProcessLookupError):
            os.kill(engine, signal.SIGTERM)
    os._exit(0)


def _check_engine(engine: Engine, image: Image, accelerator: Accelerator) -> None:
    """Raises StudyError when the engine runs nothing in the image with these GPUs: the command inside never ran."""
    nothing = Inside(folder=Path("/"), accelerator=accelerator, options=image.run.options)
    command = engine.command(image.reference, nothing)
    try:
        done = output_of([*command, "true"], CHECK_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise StudyError(
            f"{image.reference}: {engine.name} cannot run it: nothing ran in it within {CHECK_TIMEOUT_S} s"
        ) from error
    if done.returncode:
        raise StudyError(explained(f"{image.reference}: {engine.name} cannot run it", done.stderr))
