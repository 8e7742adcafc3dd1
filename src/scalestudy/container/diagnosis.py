"""Why an engine or a build failed, in plain words: a table of what engines write and what it means."""

import os
import re
import signal
import tempfile
from dataclasses import dataclass

LAST_LINES = 12
"""So many lines of a log are shown."""
REMARK = re.compile(r"^(INFO|WARNING):.*$", re.MULTILINE)
"""Not what failed, but where nothing else is said it may tell why: Apptainer remarks on /etc/subuid in every build."""
OWN_WORDS = re.compile(r"^(?:#\d+ [\d.]+ )?install: (.+)", re.MULTILINE)
"""What containers/install says of a base that does not fit, in plain words; docker numbers lines and gives the time.
Elsewhere in a line it is a word of the installer's: Failed to install: ...
"""


UNREADABLE = 128 + signal.SIGBUS
"""Exit code of a command whose program or library could not be read any further."""
UNREADABLE_WORDS = "ended by SIGBUS: the image is damaged or its file cannot be read, or /dev/shm is full"


@dataclass(frozen=True)
class Cause:
    """What the log holds, and what that means to the user."""

    pattern: str
    words: str


NO_USER_NAMESPACES = (
    "no user namespaces for ordinary users here; ask the administrator (user.max_user_namespaces, /etc/subuid), or "
    "build elsewhere and name the file in container.image"
)

CAUSES = (
    # Before a full disk: the kernel says of a limit of namespaces that there is no space left.
    Cause(r"(clone|unshare)\S*: (operation not permitted|no space left|invalid argument)", NO_USER_NAMESPACES),
    Cause(
        r"no space left on device|disk quota exceeded",
        "no space: building needs 12 GB in {tmp}; name a larger folder in TMPDIR, and look at the folder of the image "
        "and the builder's store in the home folder",
    ),
    Cause(r"container-init binary not found", "podman has no init program here; install the package catatonit"),
    Cause(
        r"setrlimit .RLIMIT_.*not permitted",
        "podman may not raise limits here; add --ulimit=host to container.run_options",
    ),
    Cause(
        r"/dev/mqueue",
        "the host's IPC cannot be shared here, which has no /dev/mqueue; add --ipc=private and --shm-size=1g to "
        "container.run_options",
    ),
    Cause(
        r"cgroups in hybrid mode not supported",
        "podman's runtime crun does not know the control groups here; install runc, and name it in "
        '~/.config/containers/containers.conf: runtime = "runc" below [engine]',
    ),
    Cause(
        r"/dev/fuse|fuse: device not found|fuse: mount failed",
        "no /dev/fuse here: an ordinary user mounts images through it; ask the administrator for /dev/fuse, or for "
        "apptainer with its setuid helper",
    ),
    Cause(
        r"user namespace|newuidmap|newgidmap|subuid|setgroups|uid_map|gid_map|max_user_namespaces",
        NO_USER_NAMESPACES,
    ),
    Cause(
        r"x509|certificate verify failed|unknownissuer|invalid peer certificate|certificate signed by unknown",
        "the network inspects what passes, and its certificate is not known inside; name the file of certificates "
        "in container.certificates",
    ),
    Cause(
        r"hash mismatch|hashes? (do|does) not match|do not match the hashes",
        "a package is not the one that the locks in containers/ name",
    ),
    Cause(
        r"short-name .* did not resolve|unqualified-search registries",
        "a name without its registry; must be whole, such as docker.io/library/python:3.11-slim",
    ),
    Cause(
        r"invalid reference format|repository name must be lowercase|could not parse reference",
        "no address of an image; must be such as docker://NAME:TAG or docker://NAME@sha256:..., in small letters",
    ),
    Cause(
        r"no such host|could not resolve host|name resolution|name or service not known|network is unreachable|"
        r"connection refused|connection timed out|i/o timeout|dns error|failed to (fetch|lookup)|"
        r"failed to establish a new connection|proxyconnect|no matching distribution found",
        "no network, or the registry cannot be reached; build where there is one, and name the file in container.image",
    ),
    Cause(
        r"image not known|unable to find image .* locally|no such image: sha256",
        "this machine's store has no such image: podman and docker keep one on the machine that built or took it",
    ),
    Cause(
        r"(manifest|name|repository)\s*(is )?(unknown|invalid)|manifest unknown|not found: manifest|pull access denied|"
        r"requested access to the resource is denied|unauthorized",
        "the registry has no such image, or does not give it out",
    ),
    Cause(
        r"unknown flag: --secret|requires buildkit|buildx component is missing|buildx: .*no such file",
        "docker builds here without BuildKit, which lends files to a build; install docker-buildx (the package may be "
        "called docker-buildx-plugin)",
    ),
    Cause(
        r"could not select device driver .*gpu",
        "docker cannot pass GPUs on; install the NVIDIA container toolkit, or set container.gpus to none",
    ),
    Cause(
        r"unresolvable cdi devices|nvidia\.com/gpu=all: no such file",
        "podman does not know the GPUs; install the NVIDIA container toolkit and generate a CDI specification "
        "(nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml), or set container.gpus to none",
    ),
    Cause(
        r"cannot connect to the docker daemon|docker daemon socket|is the docker daemon running",
        "the Docker daemon does not run, or this user may not talk to it",
    ),
    Cause(r"unexpected eof", "the image, or its transfer, ended too early; copy or take it again"),
    Cause(
        r"bad magic|image format not recognized|squashfs superblock|while loading .*sif|not a valid sif|"
        r"could not open image|read the squashfs image|input/output error|invalid tar header|"
        r"no root filesystem found|makeslice|^panic:",
        "the image is damaged; build or copy it again",
    ),
    Cause(
        r"mount source .* doesn't exist|no such file or directory.*bind|bind.*no such file", "a bind source is missing"
    ),
    Cause(r"out of memory|cannot allocate memory|signal: killed", "not enough memory"),
    Cause(r"no module named|command not found|executable file not found", "the image lacks what is to run in it"),
)
"""The first that fits is the cause."""


def cause(log: str) -> str:
    """The likely cause of a failure, or nothing where no line of the log is known."""
    if own := OWN_WORDS.search(log):
        return own[1].strip()
    for text in (REMARK.sub("", log), log):
        for one in CAUSES:
            if re.search(one.pattern, text, re.IGNORECASE | re.MULTILINE):
                return one.words.format(tmp=os.environ.get("APPTAINER_TMPDIR") or tempfile.gettempdir())
    return ""


def explained(what: str, log: str) -> str:
    """``what`` failed, with the cause, or where none is known the last line of the log."""
    lines = [line for line in (one.strip() for one in log.splitlines()) if line]
    last = lines[-1] if lines else "it said nothing"
    return f"{what}: {cause(log) or last}"
