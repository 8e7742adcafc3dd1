"""Runs in different images are never compared without saying so."""

import csv

from synthetic_study import make_study

from scalestudy.analysis.analyze import analyze
from scalestudy.records.files import read_model, write_model
from scalestudy.records.result import Result

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
    assert any("runs disagree on Image" in problem for problem in data.problems)
    assert any("Image" in sentence.text for sentence in data.sentences if sentence.rule == "R15")
    with (paths.tables / "runs.csv").open() as stream:
        images = {row["run"]: row["image"] for row in csv.DictReader(stream)}
    assert images[RUN] == "sha256:" + 64 * "a"
    assert {image for run, image in images.items() if run != RUN} == {""}


def test_runs_in_one_image_are_compared_without_a_word(tmp_path):
    paths = make_study(tmp_path, noise=0)
    for path in sorted(paths.results.glob("runs/*/*/*/*/result.json")):
        put_inside(paths, str(path.parent.relative_to(paths.results / "runs")), "apptainer", "sha256:" + 64 * "a")
    data = analyze(paths.results)
    assert not any("container images" in row.note for row in data.speedup)
    assert {row.item: row.conflict for row in data.environment}["Image"] is False
    assert data.problems == []
