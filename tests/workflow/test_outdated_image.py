"""An image that is not what is asked for is made anew, whatever Snakemake remembers; a stand-in makes it."""

import os
import re
import shutil
from pathlib import Path

import pytest
from test_workflow import ROOT, snakemake, write_config

RUN = "results/tiny/runs/net/epoch/serial-1x1/seed1/result.json"
RECORD = "images/image.json"
PACKAGES = '{"packages": {"scalestudy": "1", "torch": "1", "torchvision": "1"}}'
ENGINE = f"""#!/bin/sh
case "$1" in
--version) echo "apptainer version 1.4.5" ;;
build) for word; do case "$word" in *.sif) echo an image > "$word" ;; esac; done ;;
*) echo '{PACKAGES}' ;;
esac
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the workflow and all that an image is made from, and the image made."""
    for name in ("workflow", "containers"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("Snakefile", "pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "src").mkdir()
    (tmp_path / "src/module.py").touch()
    (tmp_path / "x.sif").write_bytes(32 * b"." + b"SIF_MAGIC\0" + 32 * b".")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "apptainer").write_text(ENGINE)
    (programs / "apptainer").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return tmp_path


def make(folder: Path, **container: object) -> None:
    """The image of this configuration, by the rule; what Snakemake knows of it is then lost."""
    write_config(folder, container={"engine": "apptainer"} | container)
    done = snakemake(folder, RECORD)
    assert done.returncode == 0, done.stderr
    assert "rule image" not in planned(folder, RECORD)
    shutil.rmtree(folder / ".snakemake")


def planned(folder: Path, *targets: str) -> str:
    """What a dry run says."""
    done = snakemake(folder, "-n", *targets)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_an_image_is_made_anew_when_what_it_is_built_from_changed_and_snakemakes_memory_is_gone(project: Path) -> None:
    make(project)
    assert "rule image" not in planned(project)
    for name in ("containers/requirements.lock", "src/module.py"):
        before = (project / name).read_bytes()
        (project / name).write_bytes(before + b"\n# changed\n")
        os.utime(project / name, (1000, 1000))
        assert "rule image" in planned(project), name
        (project / name).write_bytes(before)
        assert "rule image" not in planned(project), name
    (project / RECORD).write_text("{")
    assert "rule image" in planned(project)


def test_a_wrong_digest_stops_all_also_where_the_record_is_there_and_snakemakes_memory_is_gone(project: Path) -> None:
    make(project, image="x.sif")
    wrong = "sha256:" + 64 * "0"
    write_config(project, container={"engine": "apptainer", "image": "x.sif", "digest": wrong})
    done = snakemake(project, RUN)
    assert done.returncode != 0
    assert f"container.digest: found {wrong}; x.sif has sha256:" in done.stderr
    assert set(re.findall(r"^(?:local)?rule (\w+):", done.stderr, re.MULTILINE)) <= {"plan", "image"}


def test_a_run_that_is_missing_is_trained_when_the_image_is_recorded_anew(project: Path) -> None:
    make(project, image="x.sif")
    write_config(project, container={"engine": "apptainer", "image": "x.sif", "environment": ["X"]})
    for options in ((), ("--rerun-triggers", "mtime")):
        jobs = planned(project, RUN, *options)
        assert "rule image" in jobs
        assert "rule train" in jobs
