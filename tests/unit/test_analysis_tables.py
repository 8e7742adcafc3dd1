"""The CSV tables and report.json: columns, bytes, digests."""

import csv
import hashlib

import pytest
from synthetic_study import make_study

from scalestudy.analysis.analyze import analyze
from scalestudy.errors import StudyError
from scalestudy.records.files import read_model
from scalestudy.records.report import ReportData
from scalestudy.spec.config import ReportSpec

DDP = {"ddp": ("1x2", "1x4")}
SPEEDUP_HEADER = (
    "workload,scaling,strategy,nodes,devices,n,time_s,time_low_s,time_high_s,speedup,speedup_low,speedup_high,"
    "efficiency,images_per_s,accuracy,base_time_s,"
)


def read(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_tables_hold_what_report_json_holds(tmp_path):
    paths = make_study(tmp_path, strategies=DDP, failures={"mnist/epoch/ddp-1x4/seed0": "failed"})
    data = analyze(paths.results)
    assert read_model(paths.report, ReportData) == data
    rows = read(paths.tables / "speedup.csv")
    assert (paths.tables / "speedup.csv").read_text().startswith(SPEEDUP_HEADER)
    assert [float(row["speedup"]) for row in rows] == [row.speedup for row in data.speedup]
    assert [row["speedup_low"] for row in rows] == [
        "" if row.speedup_low is None else str(row.speedup_low) for row in data.speedup
    ]
    runs = read(paths.tables / "runs.csv")
    assert [row["outcome"] for row in runs].count("failed") == 1
    assert len(runs) == data.counts.planned == 18
    assert {path.stem for path in paths.tables.iterdir()} == {
        "runs", "speedup", "phases", "accuracy", "parity", "curves", "comparison", "mitigations", "equivalence",
        "target", "epochs_to_target", "compliance", "fits", "prediction", "validation", "exclusions", "repeats",
        "efficiency", "communication", "probe", "allreduce", "links",
    }  # fmt: skip
    assert len(read(paths.tables / "curves.csv")) == 6 * 6
    assert read(paths.tables / "parity.csv")[0]["passed"] == "true"


def test_the_tables_of_runs_and_speedups_end_with_the_data_that_was_trained_on(tmp_path):
    paths = make_study(tmp_path, strategies=DDP)
    analyze(paths.results)
    for table in ("runs", "speedup"):
        rows = read(paths.tables / f"{table}.csv")
        assert list(rows[0])[-1] == "data"
        assert {(row["workload"], row["data"]) for row in rows} == {
            ("mnist", "Fashion-MNIST, subset"),
            ("cifar", "synthetic"),
        }


def test_the_data_digest_does_not_depend_on_the_language_of_the_report(tmp_path):
    german, english = (
        make_study(tmp_path / code, strategies=DDP, words=ReportSpec(language=code)) for code in ("de", "en")
    )
    assert analyze(german.results).data_sha256 == analyze(english.results).data_sha256
    named = [{row["data"] for row in read(paths.tables / "speedup.csv")} for paths in (german, english)]
    assert named == [{"Fashion-MNIST, subset", "synthetic"}] * 2


def test_the_data_digest_is_that_of_runs_csv(tmp_path):
    paths = make_study(tmp_path, strategies=DDP)
    data = analyze(paths.results)
    assert data.data_sha256 == hashlib.sha256((paths.tables / "runs.csv").read_bytes()).hexdigest()


def test_the_same_records_give_the_same_bytes(tmp_path):
    def outputs(folder):
        paths = make_study(folder, strategies=DDP)
        analyze(paths.results)
        return {path.name: path.read_bytes() for path in (*paths.tables.iterdir(), paths.report)}

    assert outputs(tmp_path / "one") == outputs(tmp_path / "two")


def test_a_reason_with_commas_quotes_and_formulas_stays_one_cell(tmp_path):
    paths = make_study(tmp_path, workloads=1, strategies=DDP, failures={"mnist/epoch/ddp-1x2/seed0": "failed"})
    result = paths.run("mnist/epoch/ddp-1x2/seed0").result
    result.write_text(result.read_text().replace("out of memory", 'a, \\"b\\"\\n=1+1'))
    analyze(paths.results)
    row = next(row for row in read(paths.tables / "runs.csv") if row["outcome"] == "failed")
    assert row["reason"] == 'rank 1 on node02: a, "b" =1+1'


def test_tables_without_rows_have_a_header(tmp_path):
    paths = make_study(tmp_path, workloads=1, strategies=DDP, phases=False, parity="absent")
    analyze(paths.results)
    assert (paths.tables / "phases.csv").read_text().startswith("workload,scaling,strategy,nodes,devices,n,total_s,")
    assert read(paths.tables / "parity.csv") == []


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    paths = make_study(tmp_path, workloads=1, strategies=DDP)
    paths.tables.write_text("in the way")
    with pytest.raises(StudyError, match=r"tables/runs\.csv: cannot be written: File exists"):
        analyze(paths.results)
    assert not paths.report.exists()
