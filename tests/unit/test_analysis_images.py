"""Runs in different images are never compared without saying so."""

import csv

import pytest
from synthetic_study import make_study

from scalestudy.analysis.analyze import analyze
from scalestudy.records.files import read_model, write_model
from scalestudy.records.parity import Parity
from scalestudy.records.probe import Probe
from scalestudy.records.provenance import Provenance
from scalestudy.records.result import Part, Result
from scalestudy.spec.config import ReportSpec

RUN = "mnist/epoch/ddp-1x2/seed0"


def put_inside(paths, run, engine, digest):
    result = read_model(paths.run(run).result, Result)
    inside = result.provenance.model_copy(update={"engine": engine, "engine_version": "1.4.5", "image_digest": digest})
    write_model(paths.run(run).result, result.model_copy(update={"provenance": inside}))


def test_a_speedup_over_a_base_in_another_image_says_so_in_its_row_in_a_sentence_and_among_the_problems(tmp_path):
    paths = make_study(tmp_path, noise=0)
    put_inside(paths, RUN, "apptainer", "sha256:" + 64 * "a")
    data = analyze(paths.results)
    rows = {(row.strategy, row.nodes, row.devices): row for row in data.speedup if row.workload == "mnist"}
    assert rows["ddp", 1, 2].note.startswith("2 container images:")
    assert "container images" not in rows["ddp", 1, 4].note
    items = {row.item: row for row in data.environment}
    assert items["Container"].conflict
    assert items["Image"].conflict
    assert any("records disagree on Image" in problem for problem in data.problems)
    said = {sentence.section: sentence.text for sentence in data.sentences if sentence.rule == "R15"}
    assert "Image" in said["setup"]
    assert said["performance"].startswith("**Several container images:** the runs were not all in the same one. Notes")
    with (paths.tables / "runs.csv").open() as stream:
        images = {row["run"]: row["image"] for row in csv.DictReader(stream)}
    assert images[RUN] == "sha256:" + 64 * "a"
    assert {image for run, image in images.items() if run != RUN} == {""}


def test_a_base_whose_runs_were_in_two_images_says_so_in_its_own_row(tmp_path):
    paths = make_study(tmp_path, noise=0)
    put_inside(paths, "mnist/epoch/serial-1x1/seed0", "apptainer", "sha256:" + 64 * "a")
    rows = {(row.strategy, row.devices): row for row in analyze(paths.results).speedup if row.workload == "mnist"}
    assert rows["serial", 1].note == "2 container images: its own runs, the base's, were not all in the same one"
    assert rows["serial", 1].speedup == 1.0
    assert all(row.note.startswith("2 container images:") for row in rows.values() if row.speedup is not None)


def test_a_run_whose_parts_were_in_two_images_says_so_in_its_own_row(tmp_path):
    paths = make_study(tmp_path, noise=0)
    digest = "sha256:" + 64 * "a"
    put_inside(paths, RUN, "apptainer", digest)
    result = read_model(paths.run(RUN).result, Result)
    parts = [Part(started="", time_s=1.0, image_digest=one) for one in ("sha256:" + 64 * "b", digest)]
    write_model(paths.run(RUN).result, result.model_copy(update={"parts": parts, "resumed": 1}))
    data = analyze(paths.results)
    assert all(f"sha256:{64 * letter} (1 run)" in row(data, "Image").value for letter in "ab")
    note = next(row.note for row in data.speedup if (row.workload, row.strategy, row.devices) == ("mnist", "ddp", 2))
    assert note.startswith("3 container images:")
    assert data.image == f"sha256:{64 * 'a'}, sha256:{64 * 'b'}"
    (run,) = (run for run in data.runs if run.run == RUN)
    assert run.image == f"sha256:{64 * 'a'} sha256:{64 * 'b'}"


def row(data, item):
    return next(row for row in data.environment if row.item == item)


@pytest.mark.parametrize(("check", "words"), [("parity", "parity check"), ("probe", "1 probe")])
def test_a_parity_check_or_a_probe_in_another_image_than_the_runs_is_said(tmp_path, check, words):
    paths = make_study(tmp_path, noise=0)
    digest = "sha256:" + 64 * "a"
    inside = {"engine": "apptainer", "engine_version": "1.4.5", "image_digest": digest}
    same = read_model(paths.run(RUN).result, Result).provenance
    records = {
        paths.parity: read_model(paths.parity, Parity),
        paths.probe("1x2"): Probe(nodes=1, devices_per_node=2, device="cpu", cores_per_device=1),
    }
    for path, record in records.items():
        write_model(path, record.model_copy(update={"provenance": same}))
    assert analyze(paths.results).problems == []
    path = paths.parity if check == "parity" else paths.probe("1x2")
    write_model(path, records[path].model_copy(update={"provenance": same.model_copy(update=inside)}))
    data = analyze(paths.results)
    row = next(row for row in data.environment if row.item == "Image")
    assert row.conflict
    assert f"{digest} ({words})" in row.value
    assert any(problem.startswith("records disagree on Image: none (") for problem in data.problems)
    said = {sentence.section: sentence.text for sentence in data.sentences if sentence.rule == "R15"}
    assert said["setup"] == "The records disagree on Container and Image; the environment tables list the values."
    assert said["performance"] == (
        f"**Several container images:** in another one than the runs: {words}. The environment tables name the images."
    )


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "the runs were not all in the same one; in another than any of them: parity check. Notes"),
        ("de", "Die Läufe waren nicht alle im selben; in einem anderen als alle Läufe: Paritätsprüfung. Anmerkungen"),
    ],
)
def test_runs_and_a_parity_check_in_three_images_are_all_named(tmp_path, language, words):
    paths = make_study(tmp_path, noise=0, words=ReportSpec(language=language))
    put_inside(paths, RUN, "apptainer", "sha256:" + 64 * "a")
    third = read_model(paths.run(RUN).result, Result).provenance.model_copy(update={"image_digest": "sha256:b"})
    write_model(paths.parity, read_model(paths.parity, Parity).model_copy(update={"provenance": third}))
    data = analyze(paths.results)
    said = {sentence.section: sentence.text for sentence in data.sentences if sentence.rule == "R15"}
    assert words in said["performance"]


def test_a_parity_check_on_another_machine_is_no_disagreement(tmp_path):
    paths = make_study(tmp_path, noise=0)
    record = read_model(paths.parity, Parity)
    elsewhere = read_model(paths.run(RUN).result, Result).provenance.model_copy(
        update={"processor": "another", "kernel": "1", "malloc_tuned": False}
    )
    write_model(paths.parity, record.model_copy(update={"provenance": elsewhere}))
    assert analyze(paths.results).problems == []


def test_a_run_that_failed_in_another_image_is_said_and_its_other_facts_are_not_compared(tmp_path):
    paths = make_study(tmp_path, noise=0)
    result = read_model(paths.run(RUN).result, Result)
    where = Provenance(processor=result.provenance.processor, engine="apptainer", image_digest="sha256:" + 64 * "a")
    failed = Result(run_id=RUN, run_digest=result.run_digest, outcome="failed", error="no", provenance=where)
    write_model(paths.run(RUN).result, failed)
    rows = {row.item: row for row in analyze(paths.results).environment}
    assert [item for item, row in rows.items() if row.conflict] == []  # no number is of that run
    assert rows["Image"].value.endswith(f"sha256:{64 * 'a'} (1 failed run)")
    assert "failed" not in rows["Threads per rank"].value


def test_a_probe_that_failed_in_another_image_disagrees_with_no_number(tmp_path):
    paths = make_study(tmp_path, noise=0)
    where = Provenance(engine="apptainer", image_digest="sha256:" + 64 * "a")
    failed = Probe(nodes=1, devices_per_node=2, device="cpu", cores_per_device=1, error="no", provenance=where)
    write_model(paths.probe("1x2"), failed)
    data = analyze(paths.results)
    assert [row.item for row in data.environment if row.conflict] == []
    assert any("probe/1x2.json: failed: no" in problem for problem in data.problems)


def test_runs_in_one_image_are_compared_without_a_word(tmp_path):
    paths = make_study(tmp_path, noise=0)
    for path in sorted(paths.results.glob("runs/*/*/*/*/result.json")):
        put_inside(paths, str(path.parent.relative_to(paths.results / "runs")), "apptainer", "sha256:" + 64 * "a")
    data = analyze(paths.results)
    assert not any("container images" in row.note for row in data.speedup)
    assert {row.item: row.conflict for row in data.environment}["Image"] is False
    assert data.problems == []
