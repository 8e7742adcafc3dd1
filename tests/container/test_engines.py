"""Podman and Docker themselves: what runs in their containers computes what runs in Apptainer's.

Each builds the Dockerfile and runs its image for an ordinary user; Docker's daemon is started for these tests.
"""

import json
import os
import pwd
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ordinary_user import BASE, NAME, OrdinaryUser
from quick_study import quick
from study_folder import OPTIONS, StudyFolder

RUNS = ("fashion/epoch/serial-1x1", "cifar_synthetic/epoch/ddp-1x2")


@pytest.fixture(scope="module")
def podman_study(
    place: Path, user: OrdinaryUser, base_tar: Path, folder: StudyFolder, podman_settings: None
) -> Iterator[StudyFolder]:
    """Runs of the quick study in an image that podman built from the Dockerfile; ``folder`` brings the programs."""
    user.must("podman", "import", "--quiet", base_tar, BASE)
    there = StudyFolder(place / "podman", user)
    container = {"engine": "podman", "builder": "podman", "base": f"docker://{BASE}"} | OPTIONS["podman"]
    there.configure(container | {"build_options": ["--isolation", "chroot"]}, quick())
    done = there.snakemake(*(f"{there.run(run)}/result.json" for run in RUNS))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:]
    yield there
    user.must("podman", "rmi", "--all", "--force")


@pytest.fixture(scope="module")
def docker_study(place: Path, user: OrdinaryUser, docker_host: str, base_tar: Path, folder: StudyFolder) -> StudyFolder:
    """The same runs in an image that Docker built, with BuildKit; ``folder`` brings the programs."""
    user.must("docker", "import", base_tar, BASE, DOCKER_HOST=docker_host)
    there = StudyFolder(place / "docker study", user)
    container = {"engine": "docker", "builder": "docker", "base": f"docker://{BASE}"}
    there.configure(container | {"build_options": ["--network", "host"]}, quick())
    done = there.snakemake(*(f"{there.run(run)}/result.json" for run in RUNS), DOCKER_HOST=docker_host)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:]
    return there


@pytest.mark.parametrize("engine", ["podman", "docker"])
def test_runs_in_it_have_the_weights_of_runs_in_apptainers_image(
    engine: str, study: StudyFolder, request: pytest.FixtureRequest
) -> None:
    other: StudyFolder = request.getfixturevalue(f"{engine}_study")
    there, here = other.results(), study.results()
    assert there.keys() == set(RUNS)
    image = other.json("images/image.json")
    for run, result in there.items():
        assert result["outcome"] == "completed"
        assert result["weights_sha256"] == here[run]["weights_sha256"]
        ran = {name: result["provenance"][name] for name in ("engine", "engine_version", "image_digest")}
        assert ran == {"engine": engine, "engine_version": image["engine_version"], "image_digest": image["digest"]}


@pytest.mark.parametrize("engine", ["podman", "docker"])
def test_what_runs_write_belongs_to_the_user(engine: str, request: pytest.FixtureRequest) -> None:
    other: StudyFolder = request.getfixturevalue(f"{engine}_study")
    owner = pwd.getpwnam(NAME)
    written = list((other.folder / "results").rglob("*"))
    assert len(written) > len(RUNS)
    assert {(path.stat().st_uid, path.stat().st_gid) for path in written} == {(owner.pw_uid, owner.pw_gid)}


@pytest.mark.parametrize("engine", ["podman", "docker"])
def test_a_sigterm_ends_the_command_inside_and_leaves_no_container(
    engine: str, user: OrdinaryUser, docker_host: str, request: pytest.FixtureRequest
) -> None:
    other: StudyFolder = request.getfixturevalue(f"{engine}_study")
    script = "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(75))\n"
    script += "open('begun', 'w').close()\ntime.sleep(100)\n"
    inside = ("scalestudy", "inside", "images/image.json", "python", "-c", script)
    process = subprocess.Popen(user.command(*inside, DOCKER_HOST=docker_host), cwd=other.folder)
    end = time.monotonic() + 60
    while not (other.folder / "begun").exists():
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.1)
    process.terminate()
    assert process.wait(30) == 75
    assert user.must(engine, "ps", "--all", "--quiet", DOCKER_HOST=docker_host) == ""


@pytest.mark.parametrize("engine", ["podman", "docker"])
def test_the_store_has_the_recorded_image_and_another_digest_is_refused(
    engine: str, docker_host: str, request: pytest.FixtureRequest
) -> None:
    other: StudyFolder = request.getfixturevalue(f"{engine}_study")
    image = other.json("images/image.json")
    asked = (engine, "image", "inspect", "--format", "{{.Id}} {{.Size}}", image["reference"])
    name, size = other.user.must(*asked, DOCKER_HOST=docker_host).split()
    assert (f"sha256:{name.removeprefix('sha256:')}", int(size)) == (image["digest"], image["size_bytes"])
    wrong = image | {"reference": f"sha256:{64 * '0'}"}
    record = other.folder / "images/wrong.json"
    record.write_text(json.dumps(wrong))
    done = other.scalestudy("inside", "images/wrong.json", "true", DOCKER_HOST=docker_host)
    record.unlink()
    assert done.returncode == 2
    assert "store has no such image: podman and docker keep one on the machine that built or took it" in done.stderr
    assert "Traceback" not in done.stderr


def test_two_nodes_of_a_study_find_each_other_from_one_container_to_another(podman_study: StudyFolder) -> None:
    code = (
        "import torch, torch.distributed as dist\n"
        "dist.init_process_group('gloo')\n"
        "value = torch.ones(1)\n"
        "dist.all_reduce(value)\n"
        "print(dist.get_rank(), value.item(), flush=True)\n"
        "dist.destroy_process_group()\n"  # else gloo's threads may abort the interpreter's end
    )
    around = {"WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": 20_000 + os.getpid() % 10_000}
    inside = ("scalestudy", "inside", "images/image.json", "python", "-c", code)
    ranks = [
        subprocess.Popen(
            podman_study.user.command(*inside, RANK=rank, **around),
            cwd=podman_study.folder,
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    assert [rank.communicate(timeout=120)[0] for rank in ranks] == ["0 2.0\n", "1 2.0\n"]


@pytest.mark.parametrize("engine", ["podman", "docker"])
def test_a_ready_archive_is_taken_into_the_store(
    engine: str, other_study: StudyFolder, named_archive: Path, docker_host: str, podman_settings: None
) -> None:
    other_study.configure({"engine": engine, "image": str(named_archive)} | OPTIONS[engine])
    done = other_study.snakemake("images/image.json", DOCKER_HOST=docker_host)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    image = other_study.json("images/image.json")
    assert image["source"] == str(named_archive)
    assert image["contents"]["packages"]["torch"] == "1"
    shown = other_study.user.must(engine, "image", "inspect", image["reference"], DOCKER_HOST=docker_host)
    assert image["digest"].removeprefix("sha256:") in shown


@pytest.mark.parametrize("engine", ["apptainer", "podman", "docker"])
def test_folders_and_variables_that_the_configuration_names_are_there_inside_and_no_others(
    engine: str, other_study: StudyFolder, named_archive: Path, docker_host: str, podman_settings: None
) -> None:
    shared = other_study.user.own(other_study.folder.with_name("shared by all"))
    (shared / "words").write_text("from outside")
    container = {"engine": engine, "image": str(named_archive), "bind": [f"{shared}:/inside:ro"]}
    other_study.configure(container | {"environment": ["GREETING_*"]} | OPTIONS[engine])
    done = other_study.snakemake("images/image.json", DOCKER_HOST=docker_host)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    code = (
        "import json, os\n"
        "try: wrote = bool(open('/inside/more', 'w'))\n"
        "except OSError: wrote = False\n"
        "named = {name: value for name, value in os.environ.items() if 'GREETING' in name or 'proxy' in name}\n"
        "print(json.dumps([open('/inside/words').read(), wrote, named]))\n"
    )
    around = {"GREETING_1": "good, day", "NO_GREETING": "x", "https_proxy": "http://localhost:1"}
    inside = ("scalestudy", "inside", "images/image.json", "python", "-c", code)
    said = other_study.user.must(*inside, folder=other_study.folder, DOCKER_HOST=docker_host, **around)
    assert json.loads(said) == ["from outside", False, {"GREETING_1": "good, day"}]


def test_an_archive_that_podman_saved_becomes_a_sif_that_can_train(
    podman_study: StudyFolder, other_study: StudyFolder, user: OrdinaryUser
) -> None:
    image, archive = podman_study.json("images/image.json"), user.home / "saved.tar"
    user.must("podman", "save", "--quiet", "--format", "docker-archive", "--output", archive, image["reference"])
    other_study.configure({"engine": "apptainer", "image": str(archive)})
    done = other_study.snakemake("images/image.json")  # which trains a step in it
    archive.unlink()
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:]
    taken = other_study.json("images/image.json")
    assert taken["reference"].endswith("scalestudy.sif")
    assert taken["contents"] == image["contents"]
