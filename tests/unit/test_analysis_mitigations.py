"""One strategy with different options: what is compared with what, what differs, and what the report says of it."""

import io

import pypdf
import pytest
from rich.console import Console
from synthetic_study import make_study

from scalestudy.analysis.analyze import analyze, report_data
from scalestudy.analysis.ask import ask
from scalestudy.analysis.collect import collect
from scalestudy.analysis.compare import compare_studies
from scalestudy.analysis.language import GERMAN
from scalestudy.analysis.statistics import ratio
from scalestudy.errors import StudyError
from scalestudy.records.files import read_model, write_model
from scalestudy.records.report import ReportData, StrategyRow
from scalestudy.report.build import write_figure
from scalestudy.report.drawing import LOOKS, looks_of
from scalestudy.report.figures import draw_figures
from scalestudy.report.figures.style import title_of
from scalestudy.report.pdf import compile_report
from scalestudy.report.printable import printable
from scalestudy.report.show import show
from scalestudy.spec.config import ReportSpec
from scalestudy.spec.repeats import RepeatsSpec
from scalestudy.spec.run import Study

GLOO, COMPRESSED = "torch.nn.parallel.DistributedDataParallel (gloo)", "DDP (gloo, fp16 compression)"
SHARED = "torch.nn.parallel.DistributedDataParallel (shared_memory)"
OPTIONS = {"ddp_fp16": ("ddp", {"compression": "fp16"})}
LAYOUTS = {"ddp": ("1x2", "1x4"), "ddp_fp16": ("1x2", "1x4")}
SPEEDUPS = {("ddp", "1x2"): 1.6, ("ddp_fp16", "1x2"): 1.8, ("ddp", "1x4"): 2.5, ("ddp_fp16", "1x4"): 2.0}


def pair(folder, **settings):
    known = {"workloads": 1, "strategies": LAYOUTS, "options": OPTIONS, "speedups": SPEEDUPS, "noise": 0.0}
    paths = make_study(folder, **(known | {"ran": {"ddp": GLOO, "ddp_fp16": COMPRESSED}} | settings))
    return report_data(collect(paths.results))


def by_layout(data):
    return {(row.strategy, row.nodes, row.devices): row for row in data.mitigations}


def test_a_labeled_entry_is_set_against_the_plain_one_on_the_same_layout(tmp_path):
    data = pair(tmp_path, costs_s={"ddp": 0.010, "ddp_fp16": 0.004})
    rows = by_layout(data)
    assert list(rows) == [("ddp_fp16", 1, 2), ("ddp_fp16", 1, 4)]
    faster, slower = rows.values()
    assert faster.ratio == pytest.approx(1.6 / 1.8)
    assert slower.ratio == pytest.approx(2.5 / 2.0)
    assert (faster.verdict, slower.verdict) == ("faster", "slower")
    assert {row.other_strategy for row in rows.values()} == {"ddp"}
    assert {(row.options, row.differences) for row in rows.values()} == {("compression: none → fp16", 1)}


def test_the_changes_of_a_step_are_those_that_were_made(tmp_path):
    data = pair(tmp_path, costs_s={"ddp": 0.010, "ddp_fp16": 0.004})
    faster = by_layout(data)[("ddp_fp16", 1, 2)]
    steps = -(-6000 // 128)  # an epoch of 8 s on one device; 80 % of what two devices lose is communication
    lost = 8 / 1.8 - 8 / 1.6
    assert faster.exposed_change_s == pytest.approx(0.8 * lost / steps)
    assert faster.waiting_change_s == pytest.approx(0.2 * lost / steps)
    assert faster.data_change_s == pytest.approx(0, abs=1e-12)
    assert faster.cost_change_s == pytest.approx(-0.006)


def test_what_was_not_measured_in_both_has_no_change(tmp_path):
    row = by_layout(pair(tmp_path, phases=False, costs_s={"ddp": 0.01}))[("ddp_fp16", 1, 2)]
    changes = (row.exposed_change_s, row.cost_change_s, row.waiting_change_s, row.data_change_s)
    assert changes == (None, None, None, None)
    assert row.ratio is not None


def test_ratio_and_interval_are_those_of_the_comparisons(tmp_path):
    data = pair(tmp_path, noise=0.02, seeds=range(6))
    row = by_layout(data)[("ddp_fp16", 1, 2)]
    own, other = (
        [run.epoch_time_s for run in data.runs if (run.strategy, run.devices) == (name, 2)]
        for name in ("ddp_fp16", "ddp")
    )
    expected = ratio(own, other)
    assert (row.ratio, row.low, row.high, row.method) == (expected.value, expected.low, expected.high, expected.method)
    compared = next(one for one in data.comparisons if one.devices == 2)
    assert (compared.strategy, compared.other_strategy) == ("ddp", "ddp_fp16")
    assert row.low == pytest.approx(1 / compared.high)


def test_equal_times_are_not_separated_and_two_runs_give_no_interval(tmp_path):
    same = dict.fromkeys(SPEEDUPS, 1.7)
    assert {row.verdict for row in pair(tmp_path / "a", speedups=same, noise=0.01).mitigations} == {"not separated"}
    few = pair(tmp_path / "b", seeds=(0, 1)).mitigations[0]
    assert (few.verdict, few.low, few.n, few.other_n) == ("not computed", None, 2, 2)
    assert few.ratio == pytest.approx(1.6 / 1.8)


def test_where_all_have_labels_the_first_is_what_the_others_are_set_against(tmp_path):
    options = {
        "bucket_25": ("ddp", {"bucket_mb": 25}),
        "bucket_1": ("ddp", {"bucket_mb": 1}),
        "small": ("ddp", {"bucket_mb": 0.5}),
    }
    layouts = {"bucket_25": ("1x2",), "bucket_1": ("1x2", "1x4"), "small": ("1x2", "1x4")}
    data = pair(tmp_path, strategies=layouts, options=options, ran={})
    found = [(row.strategy, row.devices, row.other_strategy, row.options) for row in data.mitigations]
    assert found == [
        ("bucket_1", 2, "bucket_25", "bucket_mb: 25 → 1"),
        ("small", 2, "bucket_25", "bucket_mb: 25 → 0.5"),
        ("small", 4, "bucket_1", "bucket_mb: 1 → 0.5"),
    ]


def test_several_differences_are_counted_and_named(tmp_path):
    options = {"both": ("ddp", {"compression": "bf16", "static_graph": False, "bucket_mb": 2})}
    data = pair(tmp_path, strategies={"ddp": ("1x2",), "both": ("1x2",)}, options=options, ran={})
    (row,) = data.mitigations
    assert row.differences == 3
    assert row.options == "bucket_mb: auto → 2; static_graph: auto → false; compression: none → bf16"
    (text,) = [sentence.text for sentence in data.sentences if sentence.rule == "R26"]
    assert text.endswith(", for 3 differences together.")


def test_options_that_this_version_does_not_know_are_the_only_ones_that_differ(tmp_path):
    options = {"both": ("ddp", {"bucket_cap_mb": 2})}
    (row,) = pair(tmp_path, strategies={"ddp": ("1x2",), "both": ("1x2",)}, options=options, ran={}).mitigations
    assert (row.options, row.differences) == ("bucket_cap_mb: auto → 2", 1)


def test_another_way_of_the_gradients_that_no_option_asked_for_is_a_difference_too(tmp_path):
    (row, _) = pair(tmp_path / "a", ran={"ddp": SHARED, "ddp_fp16": COMPRESSED}).mitigations
    assert (row.options, row.differences) == ("compression: none → fp16; communication: shared_memory → gloo", 2)
    options = {"ddp_fp16": ("ddp", {"compression": "fp16", "communication": "gloo"})}
    (row, _) = pair(tmp_path / "b", options=options, ran={"ddp": SHARED, "ddp_fp16": COMPRESSED}).mitigations
    assert (row.options, row.differences) == ("communication: auto → gloo; compression: none → fp16", 2)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"failures": {f"mnist/epoch/ddp-1x2/seed{seed}": "failed" for seed in range(3)}}, "ddp has no time"),
        ({"parity": ("ddp_fp16",)}, "ddp_fp16 has no time to compare: fails the parity check"),
        ({"oversubscribed_above": 1}, "ddp_fp16 has no time to compare: more devices than cores: correctness only"),
    ],
    ids=["failed", "wrong", "oversubscribed"],
)
def test_a_pair_without_times_keeps_its_row_with_the_reason(tmp_path, settings, reason):
    row = pair(tmp_path, **settings).mitigations[0]
    assert (row.ratio, row.verdict, row.exposed_change_s) == (None, "not computed", None)
    assert row.note.startswith(reason)
    assert row.options == "compression: none → fp16"
    assert GERMAN.render(row.note).startswith(f"{row.note.split()[0]} hat keine Zeit zum Vergleichen: ")
    assert "no time" not in GERMAN.render(row.note)


def test_a_wrong_entry_leaves_the_speedup_of_the_others_of_its_strategy(tmp_path):
    data = pair(tmp_path, parity=("ddp_fp16",))
    known = {row.strategy for row in data.speedup if row.speedup is not None}
    assert known == {"serial", "ddp"}


def test_compressed_gradients_are_other_mathematics_and_are_not_pooled_with_the_others(tmp_path):
    (batch,) = [row for row in pair(tmp_path, strategies={"ddp": ("1x2",), "ddp_fp16": ("1x2",)},
                accuracies={"ddp_fp16": 0.5}).epochs_to_target if row.global_batch == 128]  # fmt: skip
    assert (batch.n, batch.reached) == (3, 3)


def test_a_study_without_labels_has_no_pair(tmp_path):
    paths = make_study(tmp_path, workloads=1)
    assert analyze(paths.results).mitigations == []
    assert (paths.tables / "mitigations.csv").read_text().startswith("workload,scaling,strategy,nodes,devices,n,other_")


def test_every_entry_of_a_strategy_has_its_color_and_a_marker_and_dash_of_its_own():
    names = ["ddp", *(f"ddp_{number}" for number in range(6)), "hsdp", "hsdp_a"]
    rows = [
        StrategyRow(name=name, title=name, replicated="", exchanged="", implementations=[], strategy=name.split("_")[0])
        for name in names
    ]
    looks = looks_of(rows)
    assert {looks[name].color for name in names[:7]} == {LOOKS["ddp"].color}
    assert len({(looks[name].color, looks[name].marker) for name in names}) == len(names)
    assert len({(looks[name].color, looks[name].dash) for name in names}) == len(names)
    assert (looks["ddp"], looks["hsdp"]) == (LOOKS["ddp"], LOOKS["hsdp"])


@pytest.fixture(scope="module", params=["en", "de"])
def printed(request, tmp_path_factory):
    """The report of a pair in a language, and its text."""
    data = pair(
        tmp_path_factory.mktemp("pair"),
        words=ReportSpec(language=request.param),
        noise=0.01,
        costs_s={"ddp": 0.010, "ddp_fp16": 0.004},
    )
    pdf = compile_report(data, draw_figures(printable(data)), "run\n", "pdf")
    text = " ".join(" ".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages).split())
    return data, text


def test_the_report_prints_the_pair_in_its_language(printed):
    data, text = printed
    german = data.words.language == "de"
    assert ("Wirkung von Gegenmaßnahmen" if german else "Effect of mitigations") in text
    assert ("kein Paar" if german else "no pair of one strategy") not in text
    assert "compression: none → fp16" in text
    assert "DDP (ddp_fp16)" in text
    for one in data.mitigations:
        assert f"{one.ratio:.2f}".replace(".", "," if german else ".") in text
    assert ("−6,00" if german else "−6.00") in text
    (sentence,) = [one.text for one in data.sentences if one.rule == "R26"]
    assert ("stehen die Epochenzeiten" if german else "the epoch times of one strategy") in sentence


def test_figures_call_an_entry_by_its_label(printed):
    data, _ = printed
    assert title_of(data, "ddp") == "DDP"
    assert title_of(data, "ddp_fp16") == "ddp_fp16"
    for figure in draw_figures(data):
        assert figure.kind == "prediction" or "ddp_fp16" in figure.svg.decode()


def test_long_labels_that_differ_at_their_ends_stay_apart_in_figures():
    entries = [
        StrategyRow(name=name, title="", replicated="", exchanged="", implementations=[], strategy="ddp")
        for name in ("ddp_with_buckets_of_1_mb", "ddp_with_buckets_of_8_mb")
    ]
    data = ReportData.model_construct(strategies=entries)
    names = [title_of(data, entry.name) for entry in entries]
    assert len(set(names)) == 2
    assert all(len(name) <= 16 for name in names)


def test_hostile_text_in_the_records_of_a_pair_is_printed_literally(printed):
    data, _ = printed
    hostile = "#eval(1) **b** <i> $x$ `c`"
    rows = [one.model_copy(update={"options": hostile, "other_strategy": hostile}) for one in data.mitigations]
    entries = [one.model_copy(update={"options": {hostile: hostile}}) for one in data.strategies]
    changed = data.model_copy(update={"mitigations": rows, "strategies": entries})
    pdf = compile_report(changed, [], "run\n", "pdf")
    text = "".join("".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages).split())
    assert text.count("".join(hostile.split())) >= 2 * len(rows)


def test_every_command_that_reads_a_study_knows_an_entry_by_its_label(tmp_path):
    paths = make_study(tmp_path, workloads=1, strategies=LAYOUTS, options=OPTIONS, speedups=SPEEDUPS)
    out = io.StringIO()
    show(paths.results, Console(file=out, width=100))
    assert "DDP (ddp_fp16)" in out.getvalue()
    data = analyze(paths.results)
    compared = {(cell.cell.strategy, cell.verdict) for cell in compare_studies(data, data).cells}
    assert compared == {(name, "not separated") for name in ("serial", "ddp", "ddp_fp16")}
    write_figure("scaling-epoch", paths.report, tmp_path / "figure.svg")
    assert "ddp_fp16" in (tmp_path / "figure.svg").read_text()
    with pytest.raises(StudyError, match="ddp_fp16: its gradients are compressed"):
        ask(paths.results, 256)


def test_adaptive_repeats_judge_each_entry_alone(tmp_path):
    paths = make_study(tmp_path, workloads=1, strategies=LAYOUTS, options=OPTIONS, seeds=(1, 2, 3), noise=0.0)
    study = read_model(paths.study, Study)
    write_model(paths.study, study.model_copy(update={"repeats": RepeatsSpec(min=3, max=3)}))
    states = {(row.strategy, row.devices): row.state for row in report_data(collect(paths.results)).repeats}
    assert states == dict.fromkeys(
        [("serial", 1), *((name, devices) for name in ("ddp", "ddp_fp16") for devices in (2, 4))], "reached"
    )
