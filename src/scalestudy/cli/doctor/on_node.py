"""What the doctor runs on each node, started by srun with any Python 3: standard library only.

Arguments: the doctor's folder. Prints JSON lines: first who and when, then what it found.
"""

import importlib.util
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

PORT_BASE, PORT_SPAN = 20_000, 12_000
"""Where ranks meet: MASTER_PORT is chosen so by the executor."""
PINGS = 200
CHUNK = 1 << 20
CHUNKS = 64
WAIT_S = 20
TORCH_S = 60
"""How long torch may take to start: the first time, from a slow file system, minutes; the job has two in all."""
ENGINES = ("apptainer", "singularity", "docker", "podman")


def main(folder: Path) -> None:
    """Everything that one node can tell."""
    rank, ranks = int(os.environ["SLURM_PROCID"]), int(os.environ["SLURM_NTASKS"])
    say(rank, host=socket.gethostname(), time=time.time())
    seen = (folder / "token").exists()
    if seen:
        (folder / f"seen{rank}").write_text("")
    missing = [name for name in ("torch", "torchvision") if importlib.util.find_spec(name) is None]
    engines = [name for name in ENGINES if shutil.which(name)]
    say(rank, seen=seen, cores=len(os.sched_getaffinity(0)), gpus=gpus(), engines=engines, missing=missing)
    if ranks > 1 and seen:
        try:
            say(rank, **(listen(folder) if rank == 0 else connect(folder)))
        except OSError as error:
            say(rank, network=f"{type(error).__name__}: {error}")
    if gpus() and "torch" not in missing:  # last: it takes seconds, and the other node would wait
        say(rank, **torch_gpus())


def say(rank: int, **facts: object) -> None:
    """One line."""
    print(json.dumps({"rank": rank, **facts}), flush=True)


def gpus() -> int:
    """GPUs that this job sees."""
    try:
        listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return 0
    return sum(line.startswith("GPU ") for line in listing.splitlines())


def torch_gpus() -> dict[str, object]:
    """Those of them that torch can use, or why it cannot be imported; nothing where that takes too long to tell."""
    command = [sys.executable, "-c", "import torch; print(torch.cuda.device_count())"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TORCH_S, check=True)
        return {"torch_gpus": int(done.stdout.split()[-1])}  # site packages may print something before
    except subprocess.TimeoutExpired:
        return {}
    except subprocess.CalledProcessError as error:
        return {"torch_error": (error.stderr.strip().splitlines() or [str(error)])[-1]}
    except (OSError, ValueError, IndexError) as error:
        return {"torch_error": str(error)}


def listen(folder: Path) -> dict[str, object]:
    """Rank 0: answer pings, then take what comes."""
    port = PORT_BASE + int(os.environ["SLURM_JOB_ID"]) % PORT_SPAN
    with socket.create_server(("", port)) as server:
        server.settimeout(WAIT_S)
        aside = folder / "meeting.new"
        aside.write_text(f"{socket.gethostname()} {port}")
        aside.replace(folder / "meeting")
        connection, _ = server.accept()
        with connection:
            connection.settimeout(WAIT_S)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(PINGS):
                connection.sendall(receive(connection, 1))
            for _ in range(CHUNKS):
                receive(connection, CHUNK)
            connection.sendall(b"x")
    return {}


def connect(folder: Path) -> dict[str, object]:
    """Rank 1: ping, then send; half a round trip in microseconds, and MB/s."""
    end = time.monotonic() + WAIT_S
    while not (folder / "meeting").exists():
        if time.monotonic() > end:
            raise TimeoutError("the other node opened no port")
        time.sleep(0.1)
    host, port = (folder / "meeting").read_text().split()
    with socket.create_connection((host, int(port)), timeout=WAIT_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pings = []
        for _ in range(PINGS):
            begin = time.perf_counter()
            connection.sendall(b"x")
            receive(connection, 1)
            pings.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        for _ in range(CHUNKS):
            connection.sendall(bytes(CHUNK))
        receive(connection, 1)
        seconds = time.perf_counter() - begin
    return {"latency_us": statistics.median(pings) / 2 * 1e6, "mb_per_s": CHUNKS * CHUNK / 1e6 / seconds}


def receive(connection: socket.socket, size: int) -> bytes:
    """Exactly so many bytes. Raises ConnectionError when the other side ends before."""
    parts, missing = [], size
    while missing:
        part = connection.recv(min(missing, CHUNK))
        if not part:
            raise ConnectionError("the other node hung up")
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
