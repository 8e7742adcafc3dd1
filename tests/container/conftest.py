"""Real images, run by the real engines as an ordinary user. Each image is built at most once per session.

They need Apptainer, buildah, podman, Docker, a base image and root on Debian (containers/testbed makes what Debian does
not have); elsewhere they are skipped, and in CI that is a failure.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ordinary_user import BASE, NAME, ROOT, OrdinaryUser
from processes import nothing_is_left, server
from quick_study import quick
from study_folder import StudyFolder

from scalestudy.container.contents import NEEDED, SELF_TEST

TESTBED = ROOT / "containers" / "testbed"
ROOM_BYTES = 40 * 10**9
RECORD = "images/image.json"
PROGRAMS = (
    "apptainer",
    "buildah",
    "podman",
    "runc",
    "docker",
    "dockerd",
    "docker-registry",
    "mmdebstrap",
    "setpriv",
    "unshare",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--sif", type=Path, help="test with this image, that was built before, instead of building one")


def obstacle() -> str:
    """Why these tests cannot run here, or nothing."""
    lacking = [program for program in PROGRAMS if shutil.which(program) is None]
    if lacking:
        return f"not installed: {', '.join(lacking)} (docs/containers.md, Tests)"
    if os.geteuid() != 0:
        return "making the base image and an ordinary user needs root"
    return ""


def pytest_runtest_setup() -> None:
    """Here, and not in a fixture, all that is skipped is one line."""
    if why := obstacle():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(why)


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """A folder for everything that is large; deleted afterwards.

    Not one of pytest's: any other pytest that starts closes those to the ordinary user.
    """
    folder = Path(tempfile.mkdtemp(prefix="scalestudy-images-"))
    free = shutil.disk_usage(folder).free
    assert free > ROOM_BYTES, f"{folder}: {free / 1e9:.0f} GB free; these tests need {ROOM_BYTES / 1e9:.0f} GB"
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def user(place: Path) -> Iterator[OrdinaryUser]:
    """Whose programs are those of a host environment without torch, once ``folder`` has installed it."""
    user = OrdinaryUser(place / "home", path=[place / "host" / "bin"])
    yield user
    user.run("buildah", "unshare", "rm", "-rf", user.home / ".local")  # belongs to ids of the user's range


@pytest.fixture(scope="session")
def folder(place: Path, user: OrdinaryUser) -> StudyFolder:
    """The project as the user has it, installed without torch."""
    folder = StudyFolder(place / "a study", user)
    user.own(place / "host")
    user.must("containers/install", place / "host", "none", folder=folder.folder)
    return folder


@pytest.fixture(scope="session")
def base_tar(place: Path) -> Path:
    """A minimal Debian with Python."""
    subprocess.run([TESTBED / "make-base", place], check=True)
    return place / "base.tar"


@pytest.fixture(scope="session")
def base_sif(base_tar: Path, user: OrdinaryUser) -> Path:
    """The same for Apptainer."""
    unpacked = user.own(user.home / "base")
    user.must("tar", "-xf", base_tar, "-C", unpacked, "--exclude", "./dev/*")
    user.must("apptainer", "build", user.home / "base.sif", unpacked)
    shutil.rmtree(unpacked)
    return user.home / "base.sif"


@pytest.fixture(scope="session")
def built(folder: StudyFolder, request: pytest.FixtureRequest) -> StudyFolder:
    """The project's quick study with its image, built by Apptainer."""
    ready = request.config.getoption("--sif", None)
    made = {"image": str(ready)} if ready else {"base": str(request.getfixturevalue("base_sif"))}
    folder.configure({"engine": "apptainer"} | made, quick())
    done = folder.snakemake(RECORD)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:]
    return folder


@pytest.fixture(scope="session")
def study(built: StudyFolder) -> StudyFolder:
    """The same, run once from its configuration to the report."""
    done = built.snakemake()
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:]
    return built


@pytest.fixture(scope="session")
def sif(built: StudyFolder) -> Path:
    """The image that Apptainer built."""
    return built.folder / built.json(RECORD)["reference"]


@pytest.fixture
def other_study(tmp_path: Path, place: Path, folder: StudyFolder, user: OrdinaryUser) -> Iterator[StudyFolder]:
    """Another folder, with nothing in it yet."""
    other = place / tmp_path.name
    yield StudyFolder(other, user)
    shutil.rmtree(other, ignore_errors=True)


@pytest.fixture(scope="module")
def base(user: OrdinaryUser, base_tar: Path) -> Iterator[str]:
    """The minimal Debian in the user's store of images."""
    container = user.must("buildah", "from", "scratch").strip()
    user.must("buildah", "add", container, base_tar, "/")
    user.must("buildah", "commit", "--rm", container, BASE)
    yield BASE
    user.must("buildah", "rmi", "--all", "--force")


@pytest.fixture
def named_archive(base: str, user: OrdinaryUser) -> Iterator[Path]:
    """A small image: Python finds the packages' names in it, and a test of its own that asks for nothing."""
    archive = user.home / "named.tar"
    container = user.must("buildah", "from", base).strip()
    place = "/usr/lib/python3/dist-packages"
    (user.home / "nothing.py").touch()
    user.must("buildah", "add", container, user.home / "nothing.py", f"{place}/{SELF_TEST.replace('.', '/')}.py")
    for name in NEEDED:
        note = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n"
        (user.home / "METADATA").write_text(note)
        user.must("buildah", "add", container, user.home / "METADATA", f"{place}/{name}-1.dist-info/METADATA")
    user.must("buildah", "run", "--isolation", "chroot", container, "--", "ln", "-s", "python3", "/usr/bin/python")
    user.must("buildah", "commit", "--rm", container, f"docker-archive:{archive}:localhost/named")
    yield archive
    archive.unlink()


@pytest.fixture(scope="module")
def podman_settings(user: OrdinaryUser) -> Iterator[None]:
    """Podman with the runtime that knows the first version of control groups, too."""
    settings = user.home / ".config/containers/containers.conf"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text('[engine]\nruntime = "runc"\n')
    user.own(user.home / ".config")  # where podman makes other folders
    yield
    user.must("podman", "system", "migrate")  # ends the process that keeps its user namespace
    nothing_is_left()


@pytest.fixture(scope="session")
def docker_host(place: Path, user: OrdinaryUser) -> Iterator[str]:
    """Where a Docker daemon of these tests listens, whose containers have the host's network or none."""
    folder = place / "docker"
    folder.mkdir()
    # That of Debian's package has BuildKit in itself; others need a plugin. Before the system's on the path.
    programs = user.own(user.home / "programs")
    (programs / "docker").symlink_to("/usr/bin/docker")
    user.path.append(programs)
    address = f"unix://{folder}/socket"
    places = {"data-root": "data", "exec-root": "exec", "pidfile": "pid"}
    options = [f"--{name}={folder / path}" for name, path in places.items()]
    options += [f"--host={address}", f"--group={NAME}", "--iptables=false", "--ip6tables=false", "--ip-forward=false"]
    options += ["--bridge=none"]
    ask = ["docker", "--host", address, "version"]
    with server(
        ["dockerd", *options],
        folder / "log",
        lambda: subprocess.run(ask, capture_output=True, check=False).returncode == 0,
    ):
        yield address
    for line in reversed(Path("/proc/self/mountinfo").read_text().splitlines()):  # the innermost first
        if (mounted := line.split()[4]).startswith(f"{folder}/"):
            subprocess.run(["umount", "--lazy", mounted], check=True)
    shutil.rmtree(folder)
