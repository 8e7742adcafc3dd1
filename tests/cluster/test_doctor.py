"""`scalestudy doctor` on a real SLURM cluster."""

import subprocess
import sys
from pathlib import Path

DOCTOR = [sys.executable, "-m", "scalestudy", "doctor"]


def doctor(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*DOCTOR, *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def test_a_cluster_that_is_well_is_ok_in_every_line(tmp_path: Path) -> None:
    done = doctor(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    checks = [line.split()[1].rstrip(":") for line in done.stdout.splitlines() if line.startswith("ok")]
    for check in ("commands", "partition", "job", "shared", "clocks", "training", "network"):
        assert check in checks, done.stdout
    assert "note   jobs: the site allows arrays of up to 1001 jobs" in done.stdout
    assert "wrong" not in done.stdout
    assert not list(tmp_path.iterdir())


def test_a_partition_that_does_not_exist_is_wrong_and_the_others_are_named(tmp_path: Path) -> None:
    done = doctor(tmp_path, "--partition", "gold")
    assert done.returncode == 1
    assert "wrong  partition: found gold; must be one of " in done.stdout


def test_a_runtime_that_the_partition_does_not_allow_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "slurm").mkdir()
    (tmp_path / "slurm/config.yaml").write_text("default-resources: [runtime=121]\n")
    done = doctor(tmp_path)
    assert done.returncode == 1
    assert "runtime of every rule: found 121 minutes; main allows 120" in done.stdout
    assert "note   job: not tried; mend what is wrong above" in done.stdout


def test_the_partition_and_the_options_are_those_of_the_profile(tmp_path: Path) -> None:
    (tmp_path / "slurm").mkdir()
    profile = tmp_path / "slurm/config.yaml"
    profile.write_text("default-resources: [slurm_partition=gold]\n")
    assert "wrong  partition: found gold; must be one of " in doctor(tmp_path).stdout
    assert "ok     partition: main" in doctor(tmp_path, "--partition", "main").stdout
    profile.write_text("default-resources: {constraint: \"'unobtainium'\"}\n")
    assert "wrong  job: did not run; SLURM's reason: srun: error: " in doctor(tmp_path).stdout


def test_an_option_that_slurm_refuses_is_told_in_its_own_words(tmp_path: Path) -> None:
    done = doctor(tmp_path, "--", "--constraint=unobtainium")
    assert done.returncode == 1
    assert "wrong  job: did not run; SLURM's reason: srun: error: " in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_folder_that_the_nodes_do_not_see_is_wrong(tmp_path: Path) -> None:
    script = 'mount -t tmpfs tmpfs "$0" && cd "$0" && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", script, str(tmp_path), *DOCTOR]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert f"cannot see {tmp_path}; work in a folder that all nodes share" in done.stdout
