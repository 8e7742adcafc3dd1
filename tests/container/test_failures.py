"""What goes wrong with images and engines is one line in plain words, from what the real engine says."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ordinary_user import OrdinaryUser
from study_folder import StudyFolder

SMALL_NAMESPACE = (
    "unshare",
    "--map-root-user",
    "sh",
    "-c",
    # Of the namespaces that this user may make, the next is the last.
    'echo 1 > /proc/sys/user/max_user_namespaces; exec unshare --user --map-user=1000 --map-group=1000 "$@"',
    "sh",
)


def fails(
    study: StudyFolder, *words: object, around: Sequence[str] = (), **environment: object
) -> subprocess.CompletedProcess[str]:
    """A command that must fail, run by what takes something away from it."""
    command = [*around, *study.user.command("scalestudy", *words, **environment)]
    done = subprocess.run(
        command, cwd=study.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def said(study: StudyFolder, *words: object, **settings: Any) -> str:
    """The one line that a command that must fail writes."""
    return fails(study, *words, **settings).stderr.strip().splitlines()[-1]


def image_fails(study: StudyFolder, container: dict[str, Any], **settings: Any) -> str:
    """The line of a rule `image` that must fail; no record may be left."""
    study.configure({"engine": "apptainer"} | container)
    line = said(study, "image", "images/image.json", **settings)
    assert not (study.folder / "images/image.json").exists()
    return line


def as_root(*words: str) -> list[str]:
    """Commands of root, after which the user's command runs in the same namespaces."""
    return ["unshare", "--mount", "sh", "-c", f'{"; ".join(words)}; exec "$@"', "sh"]


def test_a_file_that_is_no_sif(other_study: StudyFolder) -> None:
    (other_study.folder / "x.sif").write_text("hello")
    assert "found x.sif; is no SIF, or a damaged one" in image_fails(other_study, {"image": "x.sif"})


def test_an_image_that_is_not_there(other_study: StudyFolder) -> None:
    assert "found x.sif; cannot be read: No such file" in image_fails(other_study, {"image": "x.sif"})
    assert "found x.tar; there is no such file" in image_fails(other_study, {"image": "x.tar"})


def test_a_sif_that_was_not_copied_whole(other_study: StudyFolder, base_sif: Path) -> None:
    part = other_study.folder / "part.sif"
    part.write_bytes(base_sif.read_bytes()[: base_sif.stat().st_size // 2])
    line = image_fails(other_study, {"image": "part.sif"})
    assert line.endswith("part.sif: nothing can be run in it: the image is damaged; build or copy it again")


def test_a_sif_with_damaged_bytes(other_study: StudyFolder, base_sif: Path) -> None:
    content = bytearray(base_sif.read_bytes())
    content[100_000 : len(content) - 100_000] = os.urandom(len(content) - 200_000)
    (other_study.folder / "bad.sif").write_bytes(content)
    assert "bad.sif: nothing can be run in it: it is damaged" in image_fails(other_study, {"image": "bad.sif"})


def test_a_whole_sif_without_what_is_needed_is_not_called_damaged(other_study: StudyFolder, base_sif: Path) -> None:
    line = image_fails(other_study, {"image": str(base_sif)})
    assert line.endswith("base.sif: nothing can be run in it: the image lacks what is to run in it")


def test_an_image_with_another_digest_than_the_configuration_names(other_study: StudyFolder, sif: Path) -> None:
    wrong = "sha256:" + 64 * "0"
    line = image_fails(other_study, {"image": str(sif), "digest": wrong})
    assert f"container.digest: found {wrong}; {sif} has sha256:" in line


def test_a_wrong_digest_stops_the_whole_workflow_before_anything_trains(other_study: StudyFolder, sif: Path) -> None:
    other_study.configure({"engine": "apptainer", "image": str(sif), "digest": "sha256:" + 64 * "0"})
    done = other_study.snakemake()
    assert done.returncode != 0
    assert "container.digest: found sha256:000" in done.stderr
    assert other_study.results() == {}


def test_an_engine_that_is_not_installed(other_study: StudyFolder) -> None:
    other_study.configure({"engine": "apptainer"})
    path = other_study.folder / "programs"
    path.mkdir()
    for name in ("sh", "bash", "git", "env"):
        (path / name).symlink_to(shutil.which(name))
    host = other_study.user.path[0]
    done = other_study.snakemake("-n", PATH=f"{host}:{path}")
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    assert len(lines) == 1, lines
    assert lines[0].startswith("container.engine: apptainer is not installed on ")


def test_docker_without_its_daemon_or_its_client(other_study: StudyFolder) -> None:
    line = image_fails(other_study, {"engine": "docker", "image": "docker://python:3.11-slim"})
    if shutil.which("docker"):
        assert "the Docker daemon does not run, or this user may not talk to it" in line
    else:
        assert line.startswith("container.engine: docker is not installed on ")


def test_a_bind_source_that_does_not_exist(study: StudyFolder) -> None:
    record = study.folder / "images" / "elsewhere.json"
    text = (study.folder / "images/image.json").read_text()
    record.write_text(text.replace('"bind": []', '"bind": ["/nowhere/at/all"]'))
    line = said(study, "inside", "images/elsewhere.json", "true")
    assert "container.bind: found /nowhere/at/all; must exist, and there is no such file or folder on" in line


def test_an_image_that_was_replaced_after_it_was_recorded(study: StudyFolder, base_sif: Path) -> None:
    record = study.folder / "images" / "elsewhere.json"
    image = study.json("images/image.json")
    record.write_text((study.folder / "images/image.json").read_text().replace(image["reference"], str(base_sif)))
    assert "is not the image that was recorded" in said(study, "inside", "images/elsewhere.json", "true")
    record.write_text((study.folder / "images/image.json").read_text().replace(image["reference"], "gone.sif"))
    assert "gone.sif: the image cannot be read: No such file" in said(study, "inside", "images/elsewhere.json", "true")


def test_no_dev_fuse(study: StudyFolder) -> None:
    line = said(study, "inside", "images/image.json", "true", around=as_root("mount --bind /dev/null /dev/fuse"))
    assert "apptainer cannot run it: no /dev/fuse here" in line


def test_no_dev_fuse_for_the_look_into_an_image_that_was_built_or_taken(
    other_study: StudyFolder, base_sif: Path
) -> None:
    """Building itself needs none."""
    line = image_fails(other_study, {"image": str(base_sif)}, around=as_root("mount --bind /dev/null /dev/fuse"))
    assert "base.sif: nothing can be run in it: no /dev/fuse here" in line


def test_no_user_namespaces_to_run_in(study: StudyFolder, user: OrdinaryUser) -> None:
    inside = study.user.command("scalestudy", "inside", "images/image.json", "true")
    place = len(user.as_user)
    command = [*inside[:place], *SMALL_NAMESPACE, *inside[place:]]
    done = subprocess.run(command, cwd=study.folder, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 2
    assert "apptainer cannot run it: no user namespaces for ordinary users here" in done.stderr.splitlines()[-1]


def test_no_user_namespaces_to_build_in(other_study: StudyFolder, base_sif: Path, user: OrdinaryUser) -> None:
    other_study.configure({"engine": "apptainer", "base": str(base_sif)})
    build = other_study.user.command("scalestudy", "image", "images/image.json")
    place = len(user.as_user)
    command = [*build[:place], *SMALL_NAMESPACE, *build[place:]]
    done = subprocess.run(command, cwd=other_study.folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 2
    assert "scalestudy.def: building failed: no user namespaces" in done.stderr.splitlines()[-1]
    assert not (other_study.folder / "images/image.json").exists()


def test_no_space_to_build_in(other_study: StudyFolder, base_sif: Path) -> None:
    small = other_study.folder / "small"
    small.mkdir()
    around = as_root(f"mount -t tmpfs -o size=20m,mode=777 none '{small}'")
    other_study.configure({"engine": "apptainer", "base": str(base_sif)})
    done = fails(other_study, "image", "images/image.json", around=around, TMPDIR=small)
    assert not (other_study.folder / "images/image.json").exists()
    assert f"scalestudy.def: building failed: no space: building needs 12 GB in {small}" in done.stderr
    (log,) = (other_study.folder / "images").glob("*.log")
    assert log.read_text().splitlines()[-1] in done.stdout.splitlines()  # the builder's own last words
    assert [path.name for path in (other_study.folder / "images").iterdir() if path.is_dir()] == []


def test_no_network_to_build_with(other_study: StudyFolder, base_sif: Path) -> None:
    line = image_fails(other_study, {"base": str(base_sif)}, around=("unshare", "--net"))
    assert "scalestudy.def: building failed: no network, or the registry cannot be reached" in line


def test_no_network_to_take_an_image_from(other_study: StudyFolder) -> None:
    line = image_fails(other_study, {"image": "docker://localhost:9/none"}, around=("unshare", "--net"))
    assert "docker://localhost:9/none: cannot be taken: no network" in line
