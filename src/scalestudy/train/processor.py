"""What a training process asks of the machine: its cores, its threads, and memory that stays."""

import ctypes
import os
import sys

M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
M_ARENA_MAX = -8
GIB = 1 << 30


def keep_freed_memory() -> bool:
    """Tell glibc to keep freed memory instead of giving it back after every step; True where that worked.

    Giving it back costs thousands of page faults per step and makes timings bimodal (docs/trainer.md). Threads share
    one arena: those that glibc makes for further threads lose every piece of 64 MiB that is empty, whatever the
    threshold, and two device threads paid 4,000 page faults a step for it in half of all processes.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    settings = ((M_MMAP_THRESHOLD, GIB), (M_TRIM_THRESHOLD, 2 * GIB - 1), (M_ARENA_MAX, 1))
    return all(mallopt(name, value) for name, value in settings)


def available_cores() -> list[int]:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def cores_of_devices(own: range, on_host: range, cores_per_device: int) -> list[list[int]]:
    """The cores of each device of this process; empty lists where devices cannot have cores of their own.

    ``own`` and ``on_host`` are the devices of this process and of all processes of the run on this host. Where the
    process may use the whole host, cores are dealt out by the device's place on the host; where a scheduler has already
    given it cores of its own, by its place in the process.
    """
    cores = available_cores()
    if len(cores) >= len(on_host) * cores_per_device:
        first = on_host.start
    elif len(cores) >= len(own) * cores_per_device and len(own) < len(on_host):
        first = own.start
    else:
        return [[] for _ in own]
    return [cores[(device - first) * cores_per_device :][:cores_per_device] for device in own]


def pin_thread(cores: list[int]) -> None:
    """Bind the calling thread to these cores (an empty list or another system leaves it free)."""
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
