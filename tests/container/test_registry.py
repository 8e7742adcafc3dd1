"""An image by its address in a registry, which is a real one, on this machine and without encryption."""

import json
import re
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from ordinary_user import OrdinaryUser
from processes import server
from study_folder import OPTIONS, StudyFolder

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"


@pytest.fixture(scope="module")
def registry(place: Path, user: OrdinaryUser, podman_settings: None) -> Iterator[str]:
    """``localhost:PORT`` of a registry, which the user's podman may ask without encryption."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"localhost:{free.getsockname()[1]}"
    settings = place / "registry.yml"
    store = {"filesystem": {"rootdirectory": str(place / "registry")}}
    settings.write_text(json.dumps({"version": 0.1, "storage": store, "http": {"addr": address}}))
    trusted = user.own(user.home / ".config/containers") / "registries.conf"
    trusted.write_text(f'[[registry]]\nlocation = "{address}"\ninsecure = true\n')
    with server(["docker-registry", "serve", settings], place / "registry.log", lambda: answers(address)):
        yield address
    trusted.unlink()


def answers(address: str) -> bool:
    """Whether a registry listens there."""
    try:
        urllib.request.urlopen(f"http://{address}/v2/", timeout=5).close()
    except OSError:
        return False
    return True


@pytest.fixture
def address(registry: str, named_archive: Path, user: OrdinaryUser) -> str:
    """Of a small image there."""
    name = f"docker://{registry}/some/image:1"
    user.must("buildah", "pull", "--quiet", f"docker-archive:{named_archive}")
    user.must("buildah", "push", "--quiet", "localhost/named", name)
    user.must("buildah", "rmi", "--force", "localhost/named")
    return name


def digest_of(name: str) -> str:
    """As the registry has it."""
    place, _, tag = name.removeprefix("docker://").rpartition(":")
    registry, _, image = place.partition("/")
    asked = urllib.request.Request(f"http://{registry}/v2/{image}/manifests/{tag}", headers={"Accept": MANIFEST})
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return str(answer.headers["Docker-Content-Digest"])


@pytest.mark.parametrize("engine", list(OPTIONS))
def test_an_image_comes_from_a_registry_by_its_name_or_its_digest(
    engine: str, address: str, other_study: StudyFolder, docker_host: str
) -> None:
    around = {"DOCKER_HOST": docker_host, "APPTAINER_NOHTTPS": "1"}
    other_study.configure({"engine": engine, "image": address} | OPTIONS[engine])
    done = other_study.snakemake("images/image.json", **around)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    named = other_study.json("images/image.json")
    assert named["source"] == address
    assert named["contents"]["packages"]["torch"] == "1"
    pinned = f"{address.rpartition(':')[0]}@{digest_of(address)}"
    other_study.configure({"engine": engine, "image": pinned} | OPTIONS[engine])
    done = other_study.snakemake("images/image.json", **around)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    again = other_study.json("images/image.json")
    assert again["source"] == pinned
    assert again["contents"] == named["contents"]


@pytest.mark.parametrize("engine", list(OPTIONS))
def test_what_a_registry_does_not_have_is_one_line(
    engine: str, registry: str, other_study: StudyFolder, docker_host: str
) -> None:
    missing = f"docker://{registry}/none/such:1"
    other_study.configure({"engine": engine, "image": missing} | OPTIONS[engine])
    done = other_study.scalestudy("image", "images/image.json", DOCKER_HOST=docker_host, APPTAINER_NOHTTPS="1")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert re.search(r"the registry has no such image, or does not give it out$", done.stderr.strip().splitlines()[-1])
