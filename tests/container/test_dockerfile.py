"""The Dockerfile, built by buildah without a daemon, becomes a SIF that computes what Apptainer's image computes."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from ordinary_user import OrdinaryUser
from study_folder import StudyFolder

BASE = "localhost/scalestudy-base"


@pytest.fixture(scope="module")
def dockerfile_study(place: Path, folder: StudyFolder, user: OrdinaryUser, base_tar: Path) -> Iterator[StudyFolder]:
    """The study in an image that the rule `image` built from the Dockerfile."""
    container = user.must("buildah", "from", "scratch").strip()
    user.must("buildah", "add", container, base_tar, "/")
    user.must("buildah", "commit", "--rm", container, BASE)
    study = StudyFolder(place / "dockerfile", user)
    study.configure(
        {
            "engine": "apptainer",
            "builder": "buildah",
            "base": f"docker://{BASE}",
            "build_options": ["--isolation", "chroot"],
        }
    )
    done = study.snakemake()
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:]
    yield study
    user.run("buildah", "rmi", "--all", "--force")


def test_a_run_in_it_has_the_weights_of_a_run_in_apptainers_image(
    dockerfile_study: StudyFolder, study: StudyFolder
) -> None:
    there, here = dockerfile_study.results(), study.results()
    assert there.keys() == here.keys()
    for run, result in there.items():
        assert result["weights_sha256"] == here[run]["weights_sha256"]
        assert result["provenance"]["image_digest"] != here[run]["provenance"]["image_digest"]


def test_both_images_hold_the_same_packages_from_the_same_lock(
    dockerfile_study: StudyFolder, study: StudyFolder
) -> None:
    there, here = (one.json("images/image.json")["contents"] for one in (dockerfile_study, study))
    assert there["packages"] == here["packages"]
    lock = hashlib.sha256((study.folder / "containers/requirements.lock").read_bytes()).hexdigest()
    assert there["lock_sha256"] == here["lock_sha256"] == lock


def test_an_image_that_is_there_is_not_built_again(dockerfile_study: StudyFolder) -> None:
    record = dockerfile_study.folder / "images/image.json"
    before = record.read_text()
    sif = dockerfile_study.folder / dockerfile_study.json("images/image.json")["reference"]
    changed = sif.stat().st_mtime_ns
    record.unlink()
    assert dockerfile_study.scalestudy("image", "images/image.json").returncode == 0
    assert record.read_text() == before
    assert sif.stat().st_mtime_ns == changed


def test_the_archive_is_not_left_behind(dockerfile_study: StudyFolder) -> None:
    assert list(dockerfile_study.folder.rglob("*.tar")) == []


def test_the_sif_says_what_it_is(dockerfile_study: StudyFolder, study: StudyFolder, user: OrdinaryUser) -> None:
    for one in (dockerfile_study, study):
        record = one.json("images/image.json")
        labels = user.must("apptainer", "inspect", "--labels", one.folder / record["reference"])
        assert "org.opencontainers.image.version: 0.1.0" in labels
        assert f"scalestudy.lock.sha256: {record['contents']['lock_sha256']}" in labels
    shown = user.must("apptainer", "run-help", study.folder / study.json("images/image.json")["reference"])
    assert "does parallel training pay off here?" in shown


def test_neither_image_holds_a_compiler_or_a_cache(
    dockerfile_study: StudyFolder, study: StudyFolder, user: OrdinaryUser
) -> None:
    code = (
        "import pathlib, shutil, sys;"
        "assert not [name for name in ('gcc', 'cc', 'uv', 'pip') if shutil.which(name)];"
        "assert not pathlib.Path('/opt/source').exists();"
        "site = next(pathlib.Path(sys.prefix).glob('lib/python*/site-packages'));"
        "assert (site / 'torch/__pycache__').is_dir() and (site / 'scalestudy/__pycache__').is_dir()"
    )
    for one in (dockerfile_study, study):
        user.must("scalestudy", "inside", "images/image.json", "python", "-c", code, folder=one.folder)


def test_a_ready_archive_becomes_a_sif(other_study: StudyFolder, base_tar: Path, user: OrdinaryUser) -> None:
    """Of an image without scalestudy in it: that it is taken, and that it is refused for what it lacks."""
    archive = user.home / "small.tar"
    container = user.must("buildah", "from", "scratch").strip()
    user.must("buildah", "add", container, base_tar, "/")
    user.must("buildah", "commit", "--rm", container, "localhost/small")
    user.must("buildah", "push", "localhost/small", f"docker-archive:{archive}:localhost/small")
    other_study.configure({"engine": "apptainer", "image": str(archive)})
    done = other_study.scalestudy("image", "images/image.json")
    assert done.returncode == 2
    assert done.stderr.strip().endswith("nothing can be run in it: the image lacks what is to run in it")
    log = next((other_study.folder / "images").glob("*.log")).read_text()
    assert "Build complete" in log
    archive.unlink()
