"""The whole line with Snakemake, as a user runs it, on a study of seconds."""

import copy
import gzip
import html
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pypdf
import pytest
import yaml

ROOT = Path(__file__).parents[2]
TITLE = "</script><b>*bold*</b> `x`_ |y| $(rm -rf /) {{ 7*7 }} #eval(1)"
"""Would be code in HTML, RST, a shell, Jinja and Typst."""
CONFIG = {
    "study": "tiny",
    "report": {
        **dict.fromkeys(("title", "subtitle", "course", "overview", "discussion", "conclusion"), TITLE),
        "authors": [TITLE],
        "published": [{"source": TITLE, "speedups": [1.5], "setting": TITLE}],
    },
    "machine": {"device": "cpu", "devices_per_node": 2, "oversubscribe": True},
    "workloads": {
        "net": {
            "title": TITLE,
            "data": {"name": "synthetic", "options": {"shape": [1, 12, 12], "classes": 4, "train": 256, "test": 64}},
            "model": {"name": "mnist_cnn"},
            "optimizer": {"name": "adam", "lr": 0.01},
            "epochs": 2,
        }
    },
    "studies": {"tiny": {"workloads": ["net"], "strategies": ["serial", "ddp"], "seeds": [1]}},
}


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SNAKEMAKE")}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def write_config(folder: Path, **changes: object) -> None:
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG | changes))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the workflow and the tiny configuration, and the study run once."""
    folder = tmp_path_factory.mktemp("project with a space")
    shutil.copy(ROOT / "Snakefile", folder)
    shutil.copytree(ROOT / "workflow", folder / "workflow")
    write_config(folder)
    done = snakemake(folder)
    assert done.returncode == 0, done.stderr
    return folder


def results(folder: Path) -> dict[str, float]:
    """Modification times of all results."""
    return {str(path.parent): path.stat().st_mtime for path in folder.glob("results/tiny/runs/*/*/*/*/result.json")}


def test_what_the_plan_chose_by_itself_and_what_it_left_out_are_said_before_anything_runs(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Snakefile", tmp_path)
    shutil.copytree(ROOT / "workflow", tmp_path / "workflow")
    small = copy.deepcopy(CONFIG["workloads"])
    small["net"]["data"]["options"]["train"] = 64
    write_config(tmp_path, workloads=small, machine={"device": "cpu"})
    planned = snakemake(tmp_path, "--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert re.search(r"^note: auto: takes 1 of \d+ devices per node \(an epoch of net, 64 images", planned.stderr, re.M)
    assert "left out: DDP: needs at least 2 devices, and auto takes 1\n" in planned.stderr
    assert not (tmp_path / "results").exists()


def test_a_study_goes_from_config_to_pdf(project: Path) -> None:
    assert (project / "reports/tiny/report.pdf").read_bytes().startswith(b"%PDF-")
    tables = {path.name for path in (project / "results/tiny/tables").iterdir()}
    assert {"runs.csv", "speedup.csv", "phases.csv", "accuracy.csv", "parity.csv"} <= tables
    report = json.loads((project / "results/tiny/report.json").read_text())
    assert report["counts"]["planned"] == report["counts"]["completed"] == 2
    assert all(row["passed"] for row in report["parity"])


def test_the_html_report_holds_everything_in_one_file_with_captions(project: Path) -> None:
    page = (project / "reports/tiny/report.html").read_text(encoding="utf-8")
    results = embedded(page, "results")
    kinds = {Path(name).suffix for name in results}
    assert kinds == {".pdf", ".svg", ".html"}
    assert all(
        entry["caption"] and entry["labels"] and entry["data_uri"].startswith("data:") for entry in results.values()
    )
    assert set(embedded(page, "categories")) == {"Report", "Figures", "Tables"}
    assert not re.search(r"""(src|href)=["']https?://""", page)
    title = html.unescape(embedded(page, "workflow-desc"))
    assert title.count(TITLE) == len(("title", "subtitle", "authors", "course"))
    assert "<b>" not in title.replace(TITLE, "")


def embedded(page: str, block: str) -> Any:
    """What a script block of the page assigns."""
    found = re.search(rf'<script id="{block}">\s*var \w+ = (.*?);\s*</script>', page, re.DOTALL)
    assert found is not None
    return json.loads(found.group(1))


def test_a_second_run_has_nothing_to_do(project: Path) -> None:
    before = results(project)
    done = snakemake(project)
    assert done.returncode == 0
    assert "Nothing to be done" in done.stderr
    assert results(project) == before


def test_after_make_clean_all_is_trained_anew_though_the_report_is_kept(tmp_path: Path, project: Path) -> None:
    folder = tmp_path / "project"
    shutil.copytree(project, folder)
    for name in ("results", ".snakemake"):
        shutil.rmtree(folder / name)
    done = snakemake(folder, "-n")
    assert (folder / "reports/tiny/report.pdf").exists()
    assert {"train", "analyze", "report"} <= jobs(done)


def test_the_html_report_of_a_german_study_is_german(project: Path) -> None:
    before = results(project)
    write_config(project, report={"language": "de"})
    done = snakemake(project)
    assert done.returncode == 0, done.stderr
    assert results(project) == before
    page = (project / "reports/tiny/report.html").read_text(encoding="utf-8")
    assert set(embedded(page, "categories")) == {"Bericht", "Abbildungen", "Tabellen"}
    entries = {Path(name).name: entry for name, entry in embedded(page, "results").items()}
    assert all(set(entry["labels"]) == {"Teil", "von"} for entry in entries.values())
    assert "Jeder geplante Lauf" in html.unescape(entries["runs.html"]["caption"])
    assert "Lohnt sich paralleles Training hier" in html.unescape(embedded(page, "workflow-desc"))


def test_touching_the_configuration_without_changing_the_study_trains_nothing(project: Path) -> None:
    before = results(project)
    write_config(project, data={"download": False})
    assert snakemake(project).returncode == 0
    assert results(project) == before


def test_one_more_seed_trains_only_its_own_runs(project: Path) -> None:
    before = results(project)
    studies = {"tiny": CONFIG["studies"]["tiny"] | {"seeds": [1, 2]}}
    write_config(project, studies=studies)
    done = snakemake(project)
    assert done.returncode == 0, done.stderr
    after = results(project)
    assert len(after) == 4
    assert {run: time for run, time in after.items() if run in before} == before
    assert json.loads((project / "results/tiny/report.json").read_text())["counts"]["planned"] == 4


@pytest.mark.parametrize("lost", ["results/tiny/study.json", "data"])
def test_one_more_seed_trains_only_its_own_runs_where_what_was_before_them_is_lost(
    lost: str, tmp_path: Path, project: Path
) -> None:
    """As the image is when making another one fails: Snakemake trains all again behind what it has to make."""
    folder = shutil.copytree(project, tmp_path / "copy")
    write_config(folder, studies={"tiny": CONFIG["studies"]["tiny"] | {"seeds": [1, 2, 3]}})
    (folder / lost).rename(folder / "lost")
    planned = snakemake(folder, "--dry-run")
    new = 6 - len(results(folder))
    assert re.search(rf"^train +{new}$", planned.stdout + planned.stderr, re.M), planned.stdout + planned.stderr
    assert "rule probe" not in planned.stdout + planned.stderr


def test_a_changed_workload_is_trained_and_probed_again_by_the_next_call(tmp_path: Path, project: Path) -> None:
    folder = tmp_path / "changed"
    shutil.copytree(project, folder, symlinks=True)
    write_config(folder, workloads={"net": CONFIG["workloads"]["net"] | {"epochs": 3}})
    assert jobs(snakemake(folder, "-n")) == {"plan", "parity", "probe", "train", "analyze", "report", "all"}
    write_other_data(folder)
    done = snakemake(folder)
    assert done.returncode == 0, done.stderr
    report = json.loads((folder / "results/tiny/report.json").read_text())
    assert report["counts"]["completed"] == report["counts"]["planned"]
    assert re.findall(r"\[(\d)/2\].*epoch 2/2", done.stdout) == ["1", "2"]
    assert "Nothing to be done" in snakemake(folder).stderr


def test_a_call_that_ended_after_planning_leaves_the_training_to_the_next(tmp_path: Path, project: Path) -> None:
    folder = tmp_path / "planned"
    shutil.copytree(project, folder, symlinks=True)
    write_other_data(folder)
    assert snakemake(folder, "--until", "plan").returncode == 0
    assert {"data", "probe", "train"} < jobs(snakemake(folder, "-n"))


def write_other_data(folder: Path) -> None:
    """The configuration with another data set, that has to be prepared first."""
    net = CONFIG["workloads"]["net"]
    options = net["data"]["options"] | {"train": 128}
    write_config(folder, workloads={"net": net | {"data": net["data"] | {"options": options}}})


def jobs(done: subprocess.CompletedProcess[str]) -> set[str]:
    """The rules that a dry run lists."""
    assert done.returncode == 0, done.stderr
    return set(re.findall(r"^(\w+) +\d+$", done.stdout, re.MULTILINE)) - {"total"}


def test_another_configuration_on_the_same_data_runs_its_whole_study(project: Path) -> None:
    (project / "other.yaml").write_text(
        yaml.safe_dump(CONFIG | {"study": "other", "studies": {"other": CONFIG["studies"]["tiny"]}})
    )
    done = snakemake(project, "-n", "--configfile", "other.yaml")
    assert done.returncode == 0, done.stderr
    counts = dict(line.split() for line in done.stdout.splitlines() if len(line.split()) == 2)
    assert counts.get("train") == "2"
    assert counts.get("report") == "1"
    assert "data" not in counts


def test_a_dry_run_lists_the_runs_and_changes_nothing(tmp_path: Path, project: Path) -> None:
    folder = tmp_path / "fresh"
    shutil.copytree(ROOT / "workflow", folder / "workflow")
    shutil.copy(ROOT / "Snakefile", folder)
    write_config(folder)
    done = snakemake(folder, "-n")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("rule train:") + done.stdout.count("rule train:") == 2
    assert not (folder / "results").exists()


def test_a_wrong_configuration_is_one_line_and_starts_nothing(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "workflow", tmp_path / "workflow")
    shutil.copy(ROOT / "Snakefile", tmp_path)
    write_config(tmp_path, studies={"tiny": {"workloads": ["net"], "strategies": ["serial", "dpp"], "seeds": [1]}})
    done = snakemake(tmp_path)
    assert done.returncode != 0
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    assert len(lines) == 1, lines
    assert "studies.tiny.strategies" in lines[0]
    assert "dpp" in lines[0]
    assert "did you mean 'ddp'" in lines[0]
    assert not (tmp_path / "results").exists()


def missing_files(folder: Path) -> dict[str, Any]:
    return {"data": {"name": "fashion_mnist"}}


def truncated_file(folder: Path) -> dict[str, Any]:
    raw = folder / "data/FashionMNIST/raw"
    raw.mkdir(parents=True)
    for part in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (raw / f"{part}-ubyte.gz").write_bytes(gzip.compress(bytes(100))[:-9])
    return {"data": {"name": "fashion_mnist"}}


def failing_import(folder: Path) -> dict[str, Any]:
    (folder / "my_sets.py").write_text("import nothing_of_this_name\n\n\ndef small(folder, download): ...\n")
    return {"data": {"name": "my_sets:small"}}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (missing_files, ["FashionMNIST", "train-images-idx3-ubyte"]),
        (truncated_file, ["train-images-idx3-ubyte.gz"]),
        (failing_import, ["my_sets", "nothing_of_this_name"]),
    ],
)
def test_data_that_cannot_be_had_is_one_line_and_trains_nothing(
    tmp_path: Path, wrong: Callable[[Path], dict[str, Any]], words: list[str]
) -> None:
    shutil.copytree(ROOT / "workflow", tmp_path / "workflow")
    shutil.copy(ROOT / "Snakefile", tmp_path)
    net = CONFIG["workloads"]["net"] | wrong(tmp_path)
    write_config(tmp_path, workloads={"net": net}, data={"folder": "data", "download": False})
    done = snakemake(tmp_path, "--quiet", "all")  # as `make run` calls it
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    assert "The rule data failed (exit code 2)." in said.splitlines()
    lines = {line for line in said.splitlines() if line.startswith("scalestudy")}
    assert len(lines) == 1, said
    assert all(word in next(iter(lines)) for word in words), lines
    assert not results(tmp_path)


def test_a_run_that_fails_is_counted_in_the_report_and_can_be_retried(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "workflow", tmp_path / "workflow")
    shutil.copy(ROOT / "Snakefile", tmp_path)
    model = tmp_path / "fragile.py"
    model.write_text(
        "import os\n"
        "from scalestudy.train.models.mnist_cnn import MnistCNN\n"
        "class Fragile(MnistCNN):\n"
        "    def forward(self, x):\n"
        "        if self.training and os.path.exists('break'):\n"
        "            raise RuntimeError('the weather')\n"
        "        return super().forward(x)\n"
    )
    net = CONFIG["workloads"]["net"] | {"model": {"name": "fragile:Fragile"}}
    studies = {"tiny": {"workloads": ["net"], "strategies": ["serial"], "seeds": [1]}}
    write_config(tmp_path, workloads={"net": net}, studies=studies)
    (tmp_path / "break").touch()
    done = snakemake(tmp_path)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "results/tiny/report.json").read_text())
    assert report["counts"]["failed"] == 1
    assert "the weather" in report["runs"][0]["reason"]
    assert any("probe/1x1.json: failed: RuntimeError: the weather" in problem for problem in report["problems"])
    assert (tmp_path / "reports/tiny/report.pdf").exists()

    (tmp_path / "break").unlink()
    retry = [sys.executable, "-m", "scalestudy", "retry"]
    said = subprocess.run(retry, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert "will train again: net/epoch/serial-1x1/seed1" in said
    assert "will probe again: 1x1" in said
    assert snakemake(tmp_path).returncode == 0
    report = json.loads((tmp_path / "results/tiny/report.json").read_text())
    assert report["counts"]["completed"] == 1
    assert not any("failed:" in problem for problem in report["problems"])


def test_adaptive_repeats_train_until_the_interval_suffices_or_max_is_reached(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "workflow", tmp_path / "workflow")
    shutil.copy(ROOT / "Snakefile", tmp_path)
    repeats = {"min": 1, "max": 2, "until_ci": "0.01%"}
    write_config(tmp_path, studies={"tiny": {"workloads": ["net"], "strategies": ["serial"], "repeats": repeats}})
    dry = snakemake(tmp_path, "-n")
    assert dry.returncode == 0, dry.stderr
    assert (dry.stdout + dry.stderr).count("rule train:") == 1
    done = snakemake(tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(results(tmp_path)) == 2
    report = json.loads((tmp_path / "results/tiny/report.json").read_text())
    assert [(row["runs"], row["state"]) for row in report["repeats"]] == [(2, "at most")]
    assert "Nothing to be done" in snakemake(tmp_path).stderr


def test_a_strategy_with_and_without_an_option_is_trained_and_compared_in_the_report(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Snakefile", tmp_path)
    shutil.copytree(ROOT / "workflow", tmp_path / "workflow")
    plain = {"name": "ddp", "options": {"communication": "gloo"}}
    labeled = {"name": "ddp", "label": "ddp_fp16", "options": {"communication": "gloo", "compression": "fp16"}}
    study = {"workloads": ["net"], "strategies": ["serial", plain, labeled], "seeds": [1]}
    write_config(tmp_path, studies={"tiny": study})
    done = snakemake(tmp_path)
    assert done.returncode == 0, done.stderr
    trained = {Path(folder).parent.name for folder in results(tmp_path)}
    assert trained == {"serial-1x1", "ddp-1x2", "ddp_fp16-1x2"}
    report = json.loads((tmp_path / "results/tiny/report.json").read_text())
    assert [(row["strategy"], row["passed"]) for row in report["parity"] if row["strategy"] != "serial"] == [
        *[("ddp", True)] * 4,
        *[("ddp_fp16", True)] * 4,
    ]
    ran = {row["strategy"]: row["implementation"].partition("(")[2] for row in report["runs"]}
    assert (ran["ddp"], ran["ddp_fp16"]) == ("gloo)", "gloo, fp16 compression)")
    (row,) = report["mitigations"]
    assert (row["options"], row["differences"], row["n"], row["other_n"]) == ("compression: none → fp16", 1, 1, 1)
    pages = pypdf.PdfReader(tmp_path / "reports/tiny/report.pdf").pages
    text = " ".join(" ".join(page.extract_text() for page in pages).split())
    for words in ("Effect of mitigations", "DDP (ddp_fp16)", "compression: none → fp16"):
        assert words in text
    page = (tmp_path / "reports/tiny/report.html").read_text(encoding="utf-8")
    found = [entry for name, entry in embedded(page, "results").items() if name.endswith("mitigations.html")]
    assert "what differs" in html.unescape(found[0]["caption"])
