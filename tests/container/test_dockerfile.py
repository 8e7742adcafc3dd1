"""The Dockerfile, built by buildah without a daemon, becomes a SIF that computes what Apptainer's image computes."""

import hashlib
import signal
import subprocess
from pathlib import Path

import pytest
from ordinary_user import BASE, OrdinaryUser
from processes import nothing_is_left, wait_for
from quick_study import quick
from study_folder import StudyFolder

RUNS = ("fashion/epoch/serial-1x1", "cifar_synthetic/epoch/ddp-1x2")


@pytest.fixture(scope="module")
def dockerfile_study(place: Path, user: OrdinaryUser, base: str, study: StudyFolder) -> StudyFolder:
    """Runs of the quick study in an image that the rule `image` built from the Dockerfile."""
    there = StudyFolder(place / "dockerfile", user)
    container = {
        "engine": "apptainer",
        "builder": "buildah",
        "base": f"docker://{base}",
        "build_options": ["--isolation", "chroot"],
    }
    there.configure(container, quick())
    done = there.snakemake(*(f"{there.run(run)}/result.json" for run in RUNS))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:]
    return there


def test_runs_in_it_have_the_weights_of_runs_in_apptainers_image(
    dockerfile_study: StudyFolder, study: StudyFolder
) -> None:
    there, here = dockerfile_study.results(), study.results()
    assert there.keys() == set(RUNS)
    for run, result in there.items():
        assert result["outcome"] == "completed"
        assert result["weights_sha256"] == here[run]["weights_sha256"]
        assert result["provenance"]["image_digest"] != here[run]["provenance"]["image_digest"]


def test_both_images_hold_the_same_packages_from_the_same_lock(
    dockerfile_study: StudyFolder, study: StudyFolder
) -> None:
    there, here = (one.json("images/image.json")["contents"] for one in (dockerfile_study, study))
    assert there["packages"] == here["packages"]
    lock = hashlib.sha256((study.folder / "containers/requirements.lock").read_bytes()).hexdigest()
    assert there["lock_sha256"] == here["lock_sha256"] == lock


def test_the_record_names_the_base_with_the_digest_that_the_store_has(
    dockerfile_study: StudyFolder, user: OrdinaryUser
) -> None:
    digest = user.must("buildah", "images", "--digests", "--format", "{{.Digest}}", BASE).strip()
    assert digest.startswith("sha256:")
    base = {"name": f"docker://{BASE}", "digest": digest, "reason": ""}
    assert dockerfile_study.json("images/image.json")["base"] == base


def test_an_image_that_is_there_is_not_built_again(dockerfile_study: StudyFolder) -> None:
    record = dockerfile_study.folder / "images/image.json"
    before = record.read_text()
    sif = dockerfile_study.folder / dockerfile_study.json("images/image.json")["reference"]
    changed = sif.stat().st_mtime_ns
    record.unlink()
    assert dockerfile_study.scalestudy("image", "images/image.json").returncode == 0
    assert record.read_text() == before
    assert sif.stat().st_mtime_ns == changed


def test_no_archive_is_left_behind_and_nothing_in_the_stores_of_images(
    dockerfile_study: StudyFolder, user: OrdinaryUser
) -> None:
    assert list(dockerfile_study.folder.rglob("*.tar")) == []
    images = ("buildah", "images", "--quiet", "--no-trunc")
    assert user.must(*images, "--all").split() == user.must(*images, BASE).split()
    assert user.must("buildah", "containers", "--quiet") == ""
    assert [path for path in (user.home / ".apptainer").rglob("*") if path.stat().st_size > 10**8] == []


def test_the_sif_says_what_it_is(dockerfile_study: StudyFolder, study: StudyFolder, user: OrdinaryUser) -> None:
    for one in (dockerfile_study, study):
        record = one.json("images/image.json")
        labels = user.must("apptainer", "inspect", "--labels", one.folder / record["reference"])
        assert "org.opencontainers.image.version: 0.1.0" in labels
        assert f"scalestudy.lock.sha256: {record['contents']['lock_sha256']}" in labels
        assert f"org.opencontainers.image.revision: {record['contents']['commit']}" in labels
    assert dockerfile_study.json("images/image.json")["contents"]["commit"] == dockerfile_study.commit
    shown = user.must("apptainer", "run-help", study.folder / study.json("images/image.json")["reference"])
    assert "does parallel training pay off here?" in shown


def test_neither_image_holds_a_compiler_or_a_cache(
    dockerfile_study: StudyFolder, study: StudyFolder, user: OrdinaryUser
) -> None:
    code = (
        "import pathlib, shutil, sys;"
        "assert not [name for name in ('gcc', 'cc', 'uv', 'pip') if shutil.which(name)];"
        "assert not pathlib.Path('/opt/source').exists();"
        "caches = ('root/.cache', 'opt/scalestudy/.cache', 'var/lib/apt/lists/*', 'var/cache/apt/archives/*.deb');"
        "assert not [found for cache in caches for found in pathlib.Path('/').glob(cache)];"
        "site = next(pathlib.Path(sys.prefix).glob('lib/python*/site-packages'));"
        "assert (site / 'torch/__pycache__').is_dir() and (site / 'scalestudy/__pycache__').is_dir()"
    )
    for one in (dockerfile_study, study):
        user.must("scalestudy", "inside", "images/image.json", "python", "-c", code, folder=one.folder)


def test_a_ready_archive_becomes_a_sif_and_is_refused_for_what_it_lacks(
    other_study: StudyFolder, base: str, user: OrdinaryUser
) -> None:
    archive = user.home / "small.tar"
    user.must("buildah", "push", base, f"docker-archive:{archive}:{base}")
    other_study.configure({"engine": "apptainer", "image": str(archive)})
    done = other_study.scalestudy("image", "images/image.json")
    assert done.returncode == 2
    assert done.stderr.strip().endswith("nothing can be run in it: the image lacks what is to run in it")
    log = next((other_study.folder / "images").glob("*.log")).read_text()
    assert "Build complete" in log
    archive.unlink()


def test_the_recorded_digest_of_an_archive_can_be_insisted_on_and_converts_nothing_again(
    other_study: StudyFolder, named_archive: Path
) -> None:
    container = {"engine": "apptainer", "image": str(named_archive)}
    other_study.configure(container)
    assert other_study.snakemake("images/image.json").returncode == 0
    first = other_study.json("images/image.json")
    changed = (other_study.folder / first["reference"]).stat().st_mtime_ns
    other_study.configure(container | {"digest": first["digest"]})
    done = other_study.snakemake("images/image.json")
    assert done.returncode == 0, done.stderr
    assert "rule image" in done.stdout + done.stderr
    again = other_study.json("images/image.json")
    assert again["made_from"] != first["made_from"]  # the digest is asked for now
    assert again | {"made_from": ""} == first | {"made_from": ""}
    assert (other_study.folder / first["reference"]).stat().st_mtime_ns == changed
    assert len(list((other_study.folder / "images").glob("*/*.sif"))) == 1
    wrong = f"sha256:{64 * '0'}"
    other_study.configure(container | {"digest": wrong})
    refused = other_study.snakemake("images/image.json")
    assert refused.returncode != 0
    assert f"container.digest: found {wrong}; {named_archive} has {first['digest']}" in refused.stderr


def test_two_that_need_the_same_image_at_once_get_one(
    other_study: StudyFolder, named_archive: Path, user: OrdinaryUser
) -> None:
    other_study.configure({"engine": "apptainer", "image": str(named_archive)})
    command = user.command("scalestudy", "image", "images/image.json")
    both = [
        subprocess.Popen(command, cwd=other_study.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(2)
    ]
    said = [process.communicate(timeout=900)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    image = other_study.json("images/image.json")
    sif = other_study.folder / image["reference"]
    assert image["digest"] == f"sha256:{hashlib.sha256(sif.read_bytes()).hexdigest()}"
    assert image["contents"]["packages"]["torch"] == "1"
    images = other_study.folder / "images"
    left = {path for path in images.rglob("*") if path.suffix != ".log"}
    assert left == {images / "image.json", sif.parent, sif.parent / "image.json", sif}


def test_an_image_whose_making_is_ended_by_sigterm_leaves_nothing_but_its_log(
    other_study: StudyFolder, named_archive: Path, user: OrdinaryUser
) -> None:
    other_study.configure({"engine": "apptainer", "image": str(named_archive)})
    images = other_study.folder / "images"
    process = subprocess.Popen(user.command("scalestudy", "image", "images/image.json"), cwd=other_study.folder)
    wait_for(lambda: list(images.glob(".*/build.log")), "the beginning", 60)
    process.terminate()
    assert process.wait(60) == 128 + signal.SIGTERM
    assert [path.suffix for path in images.iterdir()] == [".log"]
    nothing_is_left()
    assert list((user.home / "tmp").glob("b*-*")) == []  # what Apptainer unpacks into
