"""A study in the image that Apptainer built, from a host environment that has no torch."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ordinary_user import OrdinaryUser
from processes import mounted, nothing_is_left, processes
from quick_study import quick
from study_folder import StudyFolder, tiny


def test_the_host_has_no_torch_and_the_quick_study_goes_from_start_to_pdf(
    study: StudyFolder, user: OrdinaryUser
) -> None:
    assert "No module named 'torch'" in user.run("python", "-c", "import torch").stderr
    assert (study.folder / "reports/quick/report.pdf").read_bytes().startswith(b"%PDF-")
    report = study.json("results/quick/report.json")
    wanted = quick()["studies"]["quick"]
    runs = len(wanted["workloads"]) * len(wanted["strategies"])
    assert report["counts"]["completed"] == report["counts"]["planned"] == len(study.results()) == runs
    assert report["parity"]
    assert all(row["passed"] for row in report["parity"])


def test_the_record_names_what_the_image_is(built: StudyFolder, sif: Path) -> None:
    image = built.json("images/image.json")
    said = subprocess.run(["sha256sum", sif], capture_output=True, text=True, check=True).stdout
    assert image["digest"] == f"sha256:{said.split()[0]}"
    assert image["size_bytes"] == sif.stat().st_size
    assert image["contents"]["base"].endswith("base.sif")
    labels = built.user.must("apptainer", "inspect", "--labels", sif)
    assert re.fullmatch(r"[0-9a-f]{12}(-dirty)?", image["contents"]["commit"])
    assert f"org.opencontainers.image.revision: {image['contents']['commit']}\n" in labels
    if image["builder"]:  # not with --sif
        assert image["contents"]["commit"] == built.commit
        base = Path(image["base"]["name"])
        assert image["base"]["digest"] == f"sha256:{hashlib.sha256(base.read_bytes()).hexdigest()}"
    else:
        assert (image["base"]["digest"], image["base"]["reason"]) == (None, "a ready image tells at most the name")
    lock = (built.folder / "containers/requirements.lock").read_text()
    locked = set(re.findall(r"^([A-Za-z0-9._-]+)==([^ ;]+)", lock, re.MULTILINE))
    installed = {name.lower().replace("_", "-"): version for name, version in image["contents"]["packages"].items()}
    for name in ("torch", "torchvision", "numpy", "pydantic", "snakemake"):
        assert (name, installed[name].partition("+")[0]) in locked


def test_the_images_own_test_trains_a_step_with_its_torch(built: StudyFolder, sif: Path, user: OrdinaryUser) -> None:
    said = user.must("apptainer", "test", sif)
    torch = built.json("images/image.json")["contents"]["packages"]["torch"]
    assert re.search(rf"^torch {re.escape(torch)}\S*: one step trained, loss", said, re.M)


def test_every_result_names_engine_and_image(study: StudyFolder) -> None:
    image = study.json("images/image.json")
    assert study.results()
    for result in study.results().values():
        provenance = result["provenance"]
        assert provenance["engine"] == "apptainer"
        assert provenance["engine_version"] == image["engine_version"]
        assert provenance["image_digest"] == image["digest"]
    parity = study.json("results/quick/parity.json")
    probes = [json.loads(path.read_text()) for path in (study.folder / "results/quick/probe").glob("*.json")]
    assert probes
    timed = [probe["provenance"] for probe in probes if not probe["oversubscribed"]]
    assert {one["image_digest"] for one in (parity["provenance"], *timed)} == {image["digest"]}
    items = {row["item"]: row["value"] for row in study.json("results/quick/report.json")["environment"]}
    assert items["Container"] == f"apptainer {image['engine_version']}"
    assert items["Image"] == image["digest"]


def test_start_up_counts_the_engine_too(study: StudyFolder) -> None:
    for result in study.results().values():
        assert 0 < result["startup"]["launch_s"] < result["total_s"]


def test_a_second_run_has_nothing_to_do(study: StudyFolder) -> None:
    done = study.snakemake()
    assert "Nothing to be done" in done.stderr


def test_a_change_of_lock_or_package_makes_another_image_and_trains_nothing_again(study: StudyFolder) -> None:
    if not study.json("images/image.json")["builder"]:
        pytest.skip("with --sif nothing is built")
    for name in ("containers/requirements.lock", "src/scalestudy/errors.py", "containers/scalestudy.def"):
        path = study.folder / name
        before = path.read_bytes()
        path.write_bytes(before + b"\n# changed\n")
        try:
            planned = study.snakemake("-n")
        finally:
            path.write_bytes(before)
        assert "rule image" in planned.stdout + planned.stderr, name
        assert "rule train" not in planned.stdout + planned.stderr, name
    readme = study.folder / "Makefile"
    readme.write_text(readme.read_text() + "\n")
    planned = study.snakemake("-n")
    assert "Nothing to be done" in planned.stdout + planned.stderr


def test_an_image_that_was_copied_is_looked_at_anew_by_the_command_that_the_message_names(
    study: StudyFolder, sif: Path
) -> None:
    before, facts = study.json("images/image.json"), sif.stat()
    os.utime(sif, (1_000_000_000, 1_000_000_000))
    try:
        refused = study.scalestudy("inside", "images/image.json", "true")
        assert refused.returncode == 2
        command = re.search(r"`snakemake --cores 1 (.+)` looks at it anew", refused.stderr)
        assert command is not None, refused.stderr
        done = study.snakemake(*command[1].split())
        assert done.returncode == 0, done.stderr
        assert "rule train" not in done.stdout + done.stderr
        assert study.json("images/image.json") == before | {"modified": 1_000_000_000}
        assert study.scalestudy("inside", "images/image.json", "true").returncode == 0
    finally:
        os.utime(sif, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert study.snakemake("--force", "images/image.json").returncode == 0
    assert study.json("images/image.json") == before
    assert study.snakemake().returncode == 0


def test_only_what_is_named_is_passed_and_files_belong_to_the_caller(study: StudyFolder, user: OrdinaryUser) -> None:
    code = "import os, json; open('inside.json', 'w').write(json.dumps([dict(os.environ), os.getuid(), os.getcwd()]))"
    study.user.must(
        *("scalestudy", "inside", "images/image.json", "python", "-c", code),
        folder=study.folder,
        SECRET="hidden",
        https_proxy="http://me:secret@localhost:1",
        NO_PROXY="localhost",
        RANK="0",
        SLURM_JOB_ID="7",
        JOB_DEADLINE="1",
    )
    path = study.folder / "inside.json"
    environment, uid, folder = json.loads(path.read_text())
    assert {"SECRET", "https_proxy", "HTTPS_PROXY", "NO_PROXY", "TERM"}.isdisjoint(environment)
    assert "PYTHONPATH" not in environment
    assert [environment[name] for name in ("RANK", "SLURM_JOB_ID", "JOB_DEADLINE")] == ["0", "7", "1"]
    assert environment["PATH"].startswith("/opt/scalestudy/bin:")
    assert uid == path.stat().st_uid
    assert folder == str(study.folder)
    path.unlink()


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder that no engine shows by itself, as Apptainer does with /tmp."""
    folder = Path(tempfile.mkdtemp(prefix="scalestudy-", dir="/srv"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_values_of_variables_arrive_as_they_are_and_the_home_is_the_temporary_folder(
    built: StudyFolder, user: OrdinaryUser
) -> None:
    values = {
        "NVIDIA_REQUIRE_CUDA": "cuda>=12.4 brand=tesla,driver>=470,driver<471",
        "SLURM_JOB_TRES": "cpu=1,gres/gpu=1",
        "TORCH_QUOTES": 'it\'s "quoted" $(id) `id` $HOME \\',
        "OMP_LINES": "one\ntwo\n",
        "NCCL_EMPTY": "",
    }
    code = "import json, os; print(json.dumps([dict(os.environ), os.path.isdir(os.environ['HOME'])]))"
    command = ("scalestudy", "inside", "images/image.json", "python", "-c", code)
    environment, has_home = json.loads(user.must(*command, folder=built.folder, **values))
    assert {name: environment.get(name) for name in values} == values
    assert environment["HOME"] == environment["TMPDIR"] == str(user.home / "tmp")
    assert has_home


def test_data_configuration_and_results_that_lie_elsewhere_are_reached_inside(
    other_study: StudyFolder, elsewhere: Path, user: OrdinaryUser, sif: Path
) -> None:
    outside = user.own(elsewhere / "outside")
    user.own(outside / "results")
    (other_study.folder / "results").symlink_to(outside / "results")
    (elsewhere / "named").symlink_to(outside)
    config = tiny() | {"data": {"folder": str(elsewhere / "named/data")}}
    other_study.configure({"engine": "apptainer", "image": str(sif)}, config)
    (other_study.folder / "config.yaml").rename(elsewhere / "ours.yaml")
    (other_study.folder / "config.yaml").symlink_to(elsewhere / "ours.yaml")
    run = other_study.run("net/epoch/serial-1x1")
    done = other_study.snakemake(f"{run}/result.json")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:]
    assert list((outside / "data/prepared").glob("*/meta.json"))
    assert (outside / "results/tiny/runs/net/epoch/serial-1x1/seed1/result.json").is_file()


def test_another_ready_image_is_recorded_and_runs_that_are_there_stay_and_keep_the_name_of_theirs(
    other_study: StudyFolder, place: Path, sif: Path
) -> None:
    second = place / "second.sif"
    shutil.copy(sif, second)
    with second.open("r+b") as stream:  # as another build has it: a SIF holds an id of its own
        stream.seek(48)
        stream.write(os.urandom(16))
    digests = []
    for seeds, file in (([1], sif), ([1, 2], second)):
        config = tiny()
        config["studies"]["tiny"]["seeds"] = seeds
        other_study.configure({"engine": "apptainer", "image": str(file)}, config)
        run = other_study.run("net/epoch/serial-1x1").replace("seed1", f"seed{seeds[-1]}")
        done = other_study.snakemake("--until", "train")
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-5000:]
        digests.append(other_study.json("images/image.json")["digest"])
        assert other_study.json(f"{run}/result.json")["provenance"]["image_digest"] == digests[-1]
    assert digests[0] != digests[1]
    first = other_study.json(f"{other_study.run('net/epoch/serial-1x1')}/result.json")
    assert first["provenance"]["image_digest"] == digests[0]
    second.unlink()
    (other_study.folder / "images").rename(other_study.folder / "lost")  # or the image could not be made
    config["studies"]["tiny"]["seeds"] = [1, 2, 3]
    other_study.configure({"engine": "apptainer", "image": str(sif)}, config)
    planned = other_study.snakemake("-n")
    assert re.search(r"^train +1$", planned.stdout + planned.stderr, re.M), planned.stdout + planned.stderr


def test_a_run_needs_no_network(study: StudyFolder, other_study: StudyFolder, sif: Path) -> None:
    run = study.run("fashion/epoch/ddp-1x2")
    weights = study.json(f"{run}/result.json")["weights_sha256"]
    (study.folder / run / "result.json").rename(study.folder / run / "before.json")
    try:
        offline = study.user.command(
            "scalestudy", "inside", "images/image.json", "scalestudy", "train", f"{run}/run.json"
        )
        # A network namespace of its own has no interface but lo, and that one is down.
        cut_off = ["unshare", "--net", "sh", "-c", 'ip link set lo up 2>/dev/null; exec "$@"', "sh", *offline]
        done = subprocess.run(cut_off, cwd=study.folder, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        assert study.json(f"{run}/result.json")["weights_sha256"] == weights
    finally:
        (study.folder / run / "before.json").replace(study.folder / run / "result.json")


def test_a_run_that_is_asked_to_stop_saves_goes_on_inside_and_leaves_nothing_behind(
    other_study: StudyFolder, sif: Path
) -> None:
    other_study.configure({"engine": "apptainer", "image": str(sif)}, tiny(epochs=400))
    assert other_study.scalestudy("plan").returncode == 0
    done = other_study.snakemake("--until", "data")
    assert done.returncode == 0, done.stderr
    run = other_study.run("net/epoch/serial-1x1")
    command = other_study.user.command(
        "scalestudy", "inside", "images/image.json", "scalestudy", "train", f"{run}/run.json"
    )
    process = subprocess.Popen(
        command,
        cwd=other_study.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "epoch 3/" in line or "epoch   3/" in line:
            break
    os.killpg(process.pid, signal.SIGTERM)  # the whole group, as a terminal or a scheduler does
    process.stdout.read()
    assert process.wait(120) == 75
    assert not (other_study.folder / run / "result.json").exists()
    nothing_is_left()
    again = subprocess.run(command, cwd=other_study.folder, capture_output=True, text=True, timeout=600, check=False)
    assert again.returncode == 0, again.stderr
    result = other_study.json(f"{run}/result.json")
    assert result["resumed"] == 1
    assert result["provenance"]["engine"] == "apptainer"


def test_nothing_inside_outlives_the_process_that_started_it(built: StudyFolder, sif: Path) -> None:
    command = built.user.command(
        *("scalestudy", "inside", "images/image.json", "python", "-c"),
        "import time; print('here', flush=True); time.sleep(600)",
    )
    process = subprocess.Popen(command, cwd=built.folder, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    assert processes("squashfuse")
    assert mounted()
    process.kill()
    process.wait()
    nothing_is_left()
