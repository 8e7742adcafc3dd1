"""Two network namespaces joined by a link whose rate is known: what two nodes are, on one machine. Needs root."""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CLONE_NEWNET = 0x40000000
INTERFACE = "eth0"


def need_namespaces() -> None:
    """Skip where namespaces cannot be made; under CI that is a failure."""
    missing = "" if os.geteuid() == 0 else "needs root"
    missing = missing or ("" if shutil.which("ip") and shutil.which("tc") else "needs iproute2 (ip and tc)")
    if missing and os.environ.get("CI") == "true":
        pytest.fail(f"network namespaces: {missing}")
    if missing:
        pytest.skip(f"network namespaces: {missing}")


@contextmanager
def two_namespaces() -> Iterator[list[str]]:
    """Names of two namespaces, 10.99.0.1 and 10.99.0.2, joined by one link."""
    names = [f"link{os.getpid()}-{number}" for number in (1, 2)]
    try:
        for name in names:
            _call("ip", "netns", "add", name)
        _call("ip", "link", "add", INTERFACE, "netns", names[0], "type", "veth", "peer", INTERFACE, "netns", names[1])
        for number, name in enumerate(names, start=1):
            _in(name, "ip", "address", "add", f"10.99.0.{number}/24", "dev", INTERFACE)
            _in(name, "ip", "link", "set", INTERFACE, "up")
            _in(name, "ip", "link", "set", "lo", "up")
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@contextmanager
def slowed(names: list[str], mbit: int) -> Iterator[None]:
    """The link sends so many Mbit/s in either direction."""
    shape = ["root", "tbf", "rate", f"{mbit}mbit", "burst", "256kbit", "latency", "400ms"]
    for name in names:
        _in(name, "tc", "qdisc", "add", "dev", INTERFACE, *shape)
    try:
        yield
    finally:
        for name in names:
            _in(name, "tc", "qdisc", "del", "dev", INTERFACE, "root")


def enter(name: str) -> None:
    """Move this process into a namespace; its messages then travel over the link."""
    with Path(f"/var/run/netns/{name}").open() as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
    os.environ["GLOO_SOCKET_IFNAME"] = INTERFACE


def _in(name: str, *command: str) -> None:
    _call("ip", "netns", "exec", name, *command)


def _call(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
