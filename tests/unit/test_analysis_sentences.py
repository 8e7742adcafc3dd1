"""Every sentence rule at the boundary of its condition, and the headlines, from rows made by hand."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from synthetic_study import make_study, parity_rows

from scalestudy.analysis.analyze import report_data
from scalestudy.analysis.collect import collect
from scalestudy.analysis.evidence import Evidence
from scalestudy.analysis.headlines import headlines
from scalestudy.analysis.language import ENGLISH, GERMAN
from scalestudy.analysis.sentences import RULES, rule_table, sentences
from scalestudy.analysis.statistics import holds_one
from scalestudy.records.findings import (
    ComplianceRow,
    MitigationRow,
    PredictionCurve,
    Refusal,
    RepeatRow,
    TargetRow,
    ValidationRow,
)
from scalestudy.records.report import (
    AccuracyRow,
    CommunicationRow,
    Counts,
    EfficiencyRow,
    EnvironmentRow,
    LinkRow,
    PhaseRow,
    ProbeFacts,
    RunRow,
    SpeedupRow,
    StrategyRow,
    WorkloadFacts,
)
from scalestudy.spec.repeats import RepeatsSpec

CELL = {"workload": "mnist", "scaling": "epoch", "strategy": "ddp", "nodes": 1, "devices": 2, "n": 3}
RUN = {key: value for key, value in CELL.items() if key != "n"}
RUN |= {"run": "mnist/epoch/ddp-1x2/seed0", "seed": 0, "outcome": "completed"}
ROOT = Path(__file__).parents[2]
PRINTED = [*ROOT.glob("src/scalestudy/report/template/language/*.typ"), *ROOT.glob("workflow/captions/*/*.rst")]
"""What else the reports print, beside the phrases of sentences."""
COUNTS = {"planned": 6, "completed": 6, "failed": 0, "missing": 0, "resumed": 0, "oversubscribed": 0, "loaded": 0}
NOTHING = Evidence(
    counts=Counts(**COUNTS),
    speedup=[],
    accuracy=[],
    accuracy_margin=0.01,
    phases=[],
    parity=[],
    runs=[],
    workloads=[],
    environment=[],
    device_name="CPU core",
    cells=[],
)


def speedup_row(speedup=1.5, low=1.4, high=1.6, **changes):
    cell = {**CELL, **{key: value for key, value in changes.items() if key in CELL}}
    rest = {key: value for key, value in changes.items() if key not in CELL}
    devices = cell["devices"]
    values = {
        "time_s": 8 / speedup, "time_low_s": None, "time_high_s": None, "speedup": speedup, "speedup_low": low,
        "speedup_high": high, "efficiency": speedup / devices, "efficiency_low": None if low is None else low / devices,
        "efficiency_high": None if high is None else high / devices, "images_per_s": 750 * speedup, "accuracy": 0.9,
        "base_time_s": 8.0, "end_to_end_speedup": 1.2, "device_time_s": 8 / speedup * devices, "total_s": 50.0,
    }  # fmt: skip
    return SpeedupRow(**{**cell, **values, **rest})


def accuracy_row(verdict, low=-0.004, high=0.002, **changes):
    numbers = {"accuracy": 0.9, "accuracy_sd": 0.01, "difference": -0.001, "difference_low": low}
    return AccuracyRow(**{**CELL, **numbers, "difference_high": high, "verdict": verdict, **changes})


def phase_row(**changes):
    parts = {"data_s": 1.0, "host_to_device_s": None, "forward_s": 2.0, "backward_s": 4.0, "communication_s": 2.0}
    parts |= {"waiting_s": 0.5, "optimizer_s": 0.5, "other_s": 0.0}
    return PhaseRow(**{**CELL, "total_s": 10.0, **parts, "price": 1.1, **changes})


def facts(synthetic=False):
    return WorkloadFacts(
        name="mnist", title="MNIST (synthetic data)" if synthetic else "MNIST", data_title="", data_synthetic=synthetic,
        model_title="", parameters=1, gradient_bytes=4, layers=[], optimizer="", batch_size=64, epochs=2,
        untimed_epochs=1, train_images=10, augment="none", precision="float32", base_time_s=8.0, base_images_per_s=1.0,
    )  # fmt: skip


def written(rule, **changes):
    evidence = replace(NOTHING, **changes)
    return list(dict.fromkeys(s.text for s in sentences(evidence) if s.rule == rule))


def test_every_rule_has_its_own_number_and_a_line_in_the_appendix():
    assert [rule.id for rule in RULES] == [f"R{number}" for number in range(1, len(RULES) + 1)]
    assert all(rule.states and rule.condition and rule.write for rule in RULES)
    assert [row.rule for row in rule_table(ENGLISH)] == [rule.id for rule in RULES]


def test_no_rows_write_no_sentence_about_numbers():
    assert {sentence.rule for sentence in sentences(NOTHING)} == {"R1", "R8", "R12"}


def test_r1_counts_each_outcome_and_names_reasons():
    assert written("R1") == ["Of 6 planned runs, 6 completed; none was resumed after an interruption."]
    counts = Counts(**{**COUNTS, "completed": 4, "failed": 1, "missing": 1, "resumed": 2, "skipped": 1})
    runs = [RunRow(**{**RUN, "outcome": "failed", "reason": "out of memory"})]
    (text,) = written("R1", counts=counts, runs=runs)
    assert text.startswith("Of 6 planned runs, 4 completed, 1 failed and 1 is missing (1 × out of memory); 2 were res")
    assert text.endswith("enter no number. Left out of the plan: 1 combination of the study.")
    assert "time of a resumed run is the sum of its parts" in text
    (text,) = written("R1", counts=Counts(**{**COUNTS, "excluded": 2, "flawed": 1}))
    assert ". Repeated and in no number: 2 completed runs in which other programs took more than 5% of the" in text
    assert text.endswith(" 1 completed run had flaws in the records of ranks.")
    assert written("R1", counts=Counts(**dict.fromkeys(COUNTS, 0))) == ["No run was planned."]


@pytest.mark.parametrize(("load", "said"), [(0.05, False), (0.0501, True), (None, False)])
def test_r1_counts_the_completed_runs_in_which_other_programs_took_more_than_the_limit(load, said):
    calm, replaced = RunRow(**RUN, foreign_load=0.01), RunRow(**RUN, foreign_load=0.9, excluded="it was repeated")
    (text,) = written("R1", runs=[RunRow(**RUN, foreign_load=load), calm, replaced])
    count = "In 2 completed runs" if said else "In 1 completed run"  # as R12 counts them, the repeated one too
    assert f". {count} other programs took more than 5% of the machine." in text


@pytest.mark.parametrize(
    ("lost", "said"), [({"failed": 1}, True), ({"missing": 1}, True), ({"failed": 1, "missing": 1}, True), ({}, False)]
)
def test_r1_says_that_failed_or_missing_runs_enter_no_number_and_no_other(lost, said):
    (text,) = written("R1", counts=Counts(**{**COUNTS, **lost}))
    assert ("Runs that did not complete enter no number." in text) is said


def test_r1_says_that_oversubscribed_runs_have_no_speedup():
    (text,) = written("R1", counts=Counts(**{**COUNTS, "oversubscribed": 2}))
    assert text.endswith(" No speedup, only correctness, for more devices than cores: 2 planned runs.")
    assert "more devices than cores" not in written("R1")[0]


def test_no_sentence_outside_section_9_names_more_devices_than_were_measured(tmp_path):
    study = make_study(tmp_path, scalings=("strong", "weak"))
    data = report_data(collect(study.results))
    most = max(row.devices for row in data.runs)
    named = {
        (sentence.section, int(count))
        for sentence in data.sentences
        for count in re.findall(r"(\d+) CPU cores?\b", sentence.text)
    }
    assert max(count for section, count in named if section != "prediction") == most
    assert not [text for text in data.sentences if text.section != "prediction" and "predict" in text.text]
    predicted = prediction(devices=[1, 4 * most])
    evidence = replace(
        NOTHING, speedup=[speedup_row()], predictions=[predicted], validation=[validation(model="step model (ring)")]
    )
    beyond = [s for s in sentences(evidence) if str(4 * most) in s.text]
    assert {s.section for s in beyond} == {"prediction"}


def test_r2_names_the_fastest_with_time_interval_and_efficiency():
    rows = [speedup_row(), speedup_row(3.0, 2.9, 3.1, devices=4, nodes=2), speedup_row(2.0, 1.9, 2.1, devices=4)]
    assert written("R2", speedup=rows, workloads=[facts()]) == [
        "For MNIST, the fastest parallel configuration is DDP, 4 CPU cores on 2 nodes: an epoch takes 2.67 s instead "
        "of 8.00 s, a speedup of **3.00×** (95% CI 2.90–3.10) at 75% efficiency."
    ]


def test_r2_says_one_scaling_per_workload_in_the_abstract_and_all_below():
    rows = [speedup_row(scaling=scaling, devices=4) for scaling in ("weak", "strong", "epoch")]
    found = [s for s in sentences(replace(NOTHING, speedup=rows, workloads=[facts()])) if s.rule == "R2"]
    assert [(s.section, s.text.partition(" scaling")[0], s.scaling) for s in found] == [
        ("abstract", "For MNIST under strong", "strong"),
        ("performance", "For MNIST under weak", "weak"),
        ("performance", "For MNIST under strong", "strong"),
        ("performance", "For MNIST under epoch", "epoch"),
    ]
    assert "an epoch of 4 times the base's images takes 5.33 s, the base's 8.00 s, a scaled speedup of" in found[1].text


def test_r2_says_that_no_interval_exists_and_why():
    note = "no interval: the cell has fewer than 3 completed runs"
    (text,) = written("R2", speedup=[speedup_row(low=None, high=None, note=note, n=1)], workloads=[facts()])
    assert f"**1.50×** ({note})" in text


def test_r2_says_that_no_interval_exists_also_where_the_note_is_of_something_else():
    row = speedup_row(low=None, high=None, note="2 container images", n=1)
    (text,) = written("R2", speedup=[row], workloads=[facts()])
    assert "**1.50×** (no interval; 2 container images) at" in text


@pytest.mark.parametrize(("load", "said"), [(0.05003, "5.003%"), (0.051, "5.1%"), (0.0549, "5.5%"), (0.3, "30%")])
def test_r12_prints_no_load_as_its_limit(load, said):
    (text,) = written("R12", runs=[RunRow(**{**RUN, "foreign_load": load})])
    assert f"({said})" in text


def test_r2_is_silent_without_a_speedup():
    for row in (
        speedup_row().model_copy(update={"speedup": None}),
        speedup_row(1.0, None, None, strategy="serial", devices=1),
    ):
        assert written("R2", speedup=[row], workloads=[facts()]) == []


@pytest.mark.parametrize(
    ("low", "high", "holds"), [(1.0, 1.2, True), (1.0001, 1.2, False), (0.8, 1.0, True), (0.8, 0.9999, False)]
)
def test_an_interval_with_one_at_its_end_separates_nothing(low, high, holds):
    assert holds_one(low, high) is holds


def test_r3_separates_strategies_only_when_the_interval_lacks_one(tmp_path):
    layouts = {"ddp": ("1x2", "1x4"), "hsdp": ("1x4",), "hybrid": ("2x2",), "data_parallel": ("1x2",)}
    speedups = {("ddp", "1x4"): 3.0, ("hsdp", "1x4"): 2.5, ("hybrid", "2x2"): 2.999}
    study = make_study(tmp_path, workloads=1, strategies=layouts, speedups=speedups)
    (text,) = [s.text for s in report_data(collect(study.results)).sentences if s.rule == "R3"]
    assert "on 4 CPU cores an epoch with DDP takes " in text
    hsdp, hybrid = sorted(text.partition(" takes ")[2].split("; "), key=lambda part: "Hybrid" in part)
    assert hsdp.startswith("0.83 times as long as with HSDP (95% CI ")
    assert "do not separate" not in hsdp
    assert re.search(r"1\.00 times as long as with Hybrid on 2 nodes \(95% CI .*\), the data do not separate", hybrid)


def test_r2_names_what_is_not_separated_from_the_fastest(tmp_path):
    layouts = {"ddp": ("1x2", "1x4"), "hsdp": ("1x4",), "hybrid": ("2x2",)}
    speedups = {("ddp", "1x4"): 3.0, ("hsdp", "1x4"): 2.5, ("hybrid", "2x2"): 2.999, ("ddp", "1x2"): 1.5}
    study = make_study(tmp_path, workloads=1, strategies=layouts, speedups=speedups)
    texts = {s.text for s in report_data(collect(study.results)).sentences if s.rule == "R2"}
    assert [text.rpartition("; ")[2] for text in texts] == [
        "the data do not separate it from Hybrid, 4 CPU cores on 2 nodes."
    ]


def test_r2_holds_the_fastest_of_weak_scaling_against_cells_of_as_many_devices(tmp_path):
    layouts = {"ddp": ("1x2", "1x4"), "hsdp": ("1x4",)}
    speedups = {("ddp", "1x2"): 2.0, ("ddp", "1x4"): 4.0, ("hsdp", "1x4"): 3.99}
    study = make_study(tmp_path, workloads=1, scalings=("weak",), strategies=layouts, speedups=speedups)
    texts = {s.text for s in report_data(collect(study.results)).sentences if s.rule == "R2"}
    assert [text.rpartition("; ")[2] for text in texts] == ["the data do not separate it from HSDP, 4 CPU cores."]


def test_r2_names_three_at_most_of_those_that_are_as_fast(tmp_path):
    layouts = {"ddp": ("1x2", "2x1"), "hsdp": ("1x2", "2x1"), "hybrid": ("2x1",)}
    speedups = {(name, layout): 1.8 for name, own in layouts.items() for layout in own}
    study = make_study(tmp_path, workloads=1, strategies=layouts, speedups=speedups)
    texts = {s.text for s in report_data(collect(study.results)).sentences if s.rule == "R2"}
    assert all(text.endswith(" and 1 more.") for text in texts)


def test_r5_names_all_of_the_largest_that_pass():
    rows = [speedup_row(1.7, 1.65, 1.75), speedup_row(1.8, 1.7, 1.9, nodes=2), speedup_row(1, devices=4)]
    (text,) = written("R5", speedup=rows)
    assert text == (
        "For mnist, the largest configurations whose efficiencies lie above 80% with their whole intervals are DDP, 2 "
        "CPU cores on 2 nodes: 90.0% (95% CI 85.0%–95.0%); DDP, 2 CPU cores: 85.0% (95% CI 82.5%–87.5%)."
    )


@pytest.mark.parametrize(
    ("host", "language", "said"),
    [
        ("one two", ENGLISH, "DDP, 4 CPU cores on 2 nodes"),
        ("one one", ENGLISH, "DDP, 4 CPU cores on 2 simulated nodes"),
        ("one", GERMAN, "DDP, 4 CPU-Kerne auf 2 simulierten Knoten"),
        ("", ENGLISH, "DDP, 4 CPU cores on 2 nodes"),
    ],
)
def test_nodes_that_were_processes_of_one_host_are_called_simulated(host, language, said):
    cell = {"nodes": 2, "devices": 4}
    runs = [RunRow(**RUN | cell, host=host), RunRow(**RUN, host="one")]
    assert replace(NOTHING, runs=runs, language=language).name(speedup_row(**cell)) == said


def test_a_failed_run_whose_record_names_one_host_makes_no_node_simulated():
    cell = {"nodes": 2, "devices": 4}
    runs = [RunRow(**RUN | cell | {"outcome": "failed"}, host="one"), RunRow(**RUN | cell, host="one two")]
    assert replace(NOTHING, runs=runs).name(speedup_row(**cell)) == "DDP, 4 CPU cores on 2 nodes"
    assert replace(NOTHING, runs=runs[:1]).name(speedup_row(**cell)) == "DDP, 4 CPU cores on 2 nodes"


def test_nodes_of_one_workload_may_be_simulated_and_those_of_another_not():
    cell = {"nodes": 2, "devices": 4}
    runs = [RunRow(**RUN | cell, host="one one"), RunRow(**RUN | cell | {"workload": "other"}, host="one two")]
    evidence = replace(NOTHING, runs=runs)
    assert evidence.name(speedup_row(**cell)) == "DDP, 4 CPU cores on 2 simulated nodes"
    assert evidence.name(speedup_row(**cell, workload="other")) == "DDP, 4 CPU cores on 2 nodes"


def test_r3_is_silent_when_no_two_strategies_share_a_number_of_devices():
    assert written("R3", speedup=[speedup_row(), speedup_row(strategy="hsdp", devices=4)]) == []


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.8, 0.9999, "is slower than one device"),
        (0.8, 1.0, "is not distinguishable from one device"),
        (1.0, 1.3, "is not distinguishable from one device"),
        (1.0001, 1.3, None),
        (None, None, None),
    ],
)
def test_r4_judges_a_speedup_by_where_its_interval_lies(low, high, verdict):
    texts = written("R4", speedup=[speedup_row(0.9, low, high)])
    assert [verdict in text for text in texts] == ([True] if verdict else [])


@pytest.mark.parametrize(
    ("low", "expected"),
    [
        (1.6, "no parallel configuration has an efficiency whose whole interval lies above 80%"),
        (1.6002, "with its whole interval is DDP, 2 CPU cores: 85.00% (95% CI 80.01%–90.00%)."),
        (None, "no interval of an efficiency exists"),
    ],
)
def test_r5_needs_the_lower_end_above_eighty_percent(low, expected):
    high = None if low is None else 1.8
    (text,) = written("R5", speedup=[speedup_row(1.7, low, high)])
    assert expected in text


def test_r5_says_of_how_many_there_is_no_interval():
    rows = [speedup_row(1.7, 1.65, 1.8), *(speedup_row(1.5, None, None, devices=n) for n in (4, 8))]
    assert written("R5", speedup=rows[:2])[0].endswith("; 1 of 2 has no interval.")
    assert written("R5", speedup=rows)[0].endswith("; 2 of 3 have no interval.")


def test_r5_takes_the_largest_that_passes():
    rows = [speedup_row(1.7, 1.65, 1.8), speedup_row(3.4, 3.3, 3.5, devices=4), speedup_row(6, 5, 7, devices=8)]
    assert "DDP, 4 CPU cores" in written("R5", speedup=rows)[0]


def test_r6_names_the_largest_loss_at_the_largest_size_only_where_measured():
    (text,) = written("R6", speedup=[speedup_row()], phases=[phase_row()])
    assert text.endswith("per strategy at its largest size: 20.0% exposed communication with DDP, 2 CPU cores.")
    (text,) = written("R6", speedup=[speedup_row()], phases=[phase_row(data_s=2.5)])
    assert "25.0% waiting for data" in text
    for phase in ("communication_s", "forward_s"):
        (text,) = written("R6", speedup=[speedup_row()], phases=[phase_row(**{phase: None})])
        assert text.endswith("size: with DDP, 2 CPU cores, computation and communication were not measured apart.")
    assert written("R6", speedup=[speedup_row(devices=4)], phases=[phase_row()]) == []
    none = {"speedup": None, "speedup_low": None, "speedup_high": None}
    notes = [("no base: no serial run completed", 1), ("more devices than cores: correctness only", 0), ("", 0)]
    for note, told in notes:
        without = [speedup_row(devices=devices, note=note).model_copy(update=none) for devices in (2, 4)]
        texts = written("R6", speedup=without, phases=[phase_row(), phase_row(devices=4)])
        assert [text.endswith("20.0% exposed communication with DDP, 4 CPU cores.") for text in texts] == [True] * told
        rows = [row.model_copy(update={"note": GERMAN.reason(note)}) for row in without]
        german = written("R6", speedup=rows, phases=[phase_row(), phase_row(devices=4)], language=GERMAN)
        assert len(german) == told


def test_r7_counts_what_is_equivalent_shown_not_and_untested():
    rows = [
        accuracy_row("baseline", strategy="serial", devices=1),
        accuracy_row("equivalent"),
        accuracy_row("not shown", low=-0.012, devices=4),
        accuracy_row("not computed", low=None, high=None, devices=8),
    ]
    short, text = written("R7", speedup=[speedup_row()], accuracy=rows)
    assert short == (
        "Equivalence in test accuracy to the serial baseline within ±1 pp (percentage points) is shown for 1 of 2 "
        "parallel configurations; 1 could not be tested, for want of runs."
    )
    weak = [row.model_copy(update={"scaling": "weak"}) for row in rows]
    assert written("R7", accuracy=[*rows, *weak])[0] == short
    assert written("R7", accuracy=weak) == []
    nothing = "Equivalence of test accuracies is not tested: no interval of a difference from the base exists."
    assert written("R7", accuracy=[rows[3]]) == [nothing]
    assert "1 of 2 parallel configurations is equivalent" in text
    assert "not shown for DDP, 4 CPU cores (difference −0.10 pp, 90% CI −1.20 to +0.20)" in text
    assert text.endswith("; 1 could not be tested, for want of runs.")
    assert "is not tested" in written("R7", speedup=[speedup_row()], accuracy=[rows[3]])[0]
    assert "0 of 1 parallel configuration is equi" in written("R7", speedup=[speedup_row()], accuracy=[rows[2]])[1]
    assert written("R7", speedup=[speedup_row()], accuracy=rows[:1]) == []


def test_r8_states_passed_checks_their_largest_error_and_what_failed():
    assert "No parity check was recorded" in written("R8")[0]
    (text,) = written("R8", parity=parity_rows(["mnist"], {"ddp": ("1x2",), "hsdp": ("1x2",)}, ("hsdp",)))
    assert text.startswith("2 of 4 parity checks in float64 passed; the largest relative difference among these is 2.0")
    assert text.endswith("**Not passed: HSDP for mnist; no speedup is given for it**.")


def test_r8_names_strategies_that_no_check_looked_at():
    rows = parity_rows(["mnist"], {"ddp": ("1x2",)}, ())
    speedups = [speedup_row(), speedup_row(strategy="hsdp", devices=4), speedup_row(1, strategy="serial", devices=1)]
    assert written("R8", parity=rows, speedup=speedups)[0].endswith("; not checked: HSDP.")


def test_text_of_jobs_and_users_neither_sets_bold_nor_floods_a_sentence():
    reason = "**bold** " + 50 * "very long "
    runs = [RunRow(**{**RUN, "outcome": "failed", "reason": reason})]
    (text,) = written("R1", counts=Counts(**{**COUNTS, "completed": 5, "failed": 1}), runs=runs)
    assert "**" not in text
    assert len(text) < 300


def test_r9_states_efficiency_under_weak_scaling_alone():
    assert written("R9", speedup=[speedup_row()]) == []
    (text,) = written("R9", speedup=[speedup_row(scaling="weak")])
    assert text.endswith("the weak-scaling efficiency is 75% (95% CI 70%–80%) with DDP, 2 CPU cores.")


def test_r10_names_the_shortest_epoch_and_the_least_device_time():
    (text,) = written("R10", speedup=[speedup_row(1.9, 1.8, 2.0), speedup_row(3.0, 2.9, 3.1, devices=4)])
    assert "is that of DDP, 4 CPU cores (2.67 s, 10.67 s of device time)" in text
    assert text.endswith("least device time is DDP, 2 CPU cores (4.21 s, 8.42 s of device time).")


def test_r10_names_a_cell_once_that_has_the_shortest_epoch_and_the_least_device_time():
    (text,) = written("R10", speedup=[speedup_row(1.9, 1.8, 2.0)])
    assert text.endswith(
        "is that of DDP, 2 CPU cores (4.21 s, 8.42 s of device time); none of them uses less device time."
    )
    assert text.count("DDP") == 1


@pytest.mark.parametrize(("scaling", "rules"), [("strong", {"R10", "R14"}), ("epoch", {"R10", "R14"}), ("weak", set())])
def test_r10_and_r14_are_about_equal_work_and_not_about_weak_scaling(scaling, rules):
    found = {s.rule for s in sentences(replace(NOTHING, speedup=[speedup_row(scaling=scaling)]))}
    assert found & {"R10", "R14"} == rules


def test_r11_names_the_interval_that_is_widest_relative_to_its_speedup():
    rows = [speedup_row(1.5, 1.4, 1.6), speedup_row(6.0, 5.8, 6.2, devices=8), speedup_row(9, None, None, devices=16)]
    (text,) = written("R11", speedup=rows, workloads=[facts()])
    assert "is that of DDP, 2 CPU cores for MNIST (epoch scaling): 1.50×, −6.7% to +6.7%, from 3 runs." in text
    assert written("R11", speedup=[rows[2]]) == []


@pytest.mark.parametrize(
    ("load", "expected"),
    [(0.05, "in 0 of 1 completed run."), (0.051, "in 1 of 1 completed run: mnist/"), (None, "was not measured.")],
)
def test_r12_flags_a_load_above_five_percent(load, expected):
    (text,) = written(
        "R12", counts=Counts(**{**COUNTS, "completed": 1}), runs=[RunRow(**{**RUN, "foreign_load": load})]
    )
    assert expected in text
    if load is not None:
        assert written("R12", runs=[RunRow(**{**RUN, "foreign_load": load})])[0].endswith("; in 5 it was not measured.")


def test_r13_is_written_for_generated_images_alone():
    assert written("R13", workloads=[facts()]) == []
    assert "MNIST (synthetic data) are generated" in written("R13", workloads=[facts(synthetic=True)])[0]


def test_r14_sets_the_whole_run_beside_training():
    (text,) = written("R14", speedup=[speedup_row()])
    assert text.endswith("takes 50.00 s, start-up and evaluation included: a speedup of 1.20× (no interval) from end "
                         "to end, beside 1.50× in training.")  # fmt: skip
    assert written("R14", speedup=[speedup_row(end_to_end_speedup=None)]) == []


def test_r15_names_only_what_should_agree():
    same = EnvironmentRow(item="Hosts", value="a, b")
    other = EnvironmentRow(item="PyTorch", value="2.13 (1 run); 2.12 (1 run)", conflict=True)
    assert written("R15", environment=[same]) == []
    assert "disagree on PyTorch;" in written("R15", environment=[same, other])[0]


def test_headlines_are_two_to_four_whatever_is_missing(tmp_path):
    assert [headline.value for headline in headlines(NOTHING)] == ["6/6", "not checked"]
    data = report_data(collect(make_study(tmp_path, accuracies={"hybrid": 0.8957}).results))
    assert [h.label for h in data.headlines] == [
        "MNIST CNN (Fashion-MNIST, subset), fastest",
        "CIFAR CNN (synthetic data), fastest",
        "largest accuracy change",
        "parity with serial training",
    ]
    assert [h.value for h in data.headlines][::2] == ["7.02×", "−0.43 pp"]
    one = report_data(collect(make_study(tmp_path, workloads=1, seeds=(0,)).results))
    assert [h.value for h in one.headlines] == ["7.02×", "88%", "0.00 pp", "8/8"]
    assert [h.interval for h in one.headlines][:3] == ["no interval"] * 3


def test_r16_counts_what_the_study_has_and_is_silent_without_runs():
    assert written("R16") == []
    runs = [RunRow(**RUN), RunRow(**{**RUN, "strategy": "serial", "devices": 1, "seed": 1})]
    assert written("R16", runs=runs) == [
        "The study has 1 workload, 1 parallel strategy, 1 scaling and 2 seeds, on up to 2 CPU cores."
    ]


def test_r17_counts_the_rules_that_apply():
    def row(number, satisfied):
        return ComplianceRow(rule=number, title="", satisfied=satisfied, evidence="")

    assert written("R17", compliance=[row(1, "not applicable")]) == []
    rows = [row(1, "yes"), row(2, "not applicable"), row(3, "no")]
    one = written("R17", compliance=rows)[0]
    assert one.endswith("2 apply to this study and 1 is satisfied; rule 3 is not satisfied.")
    both = written("R17", compliance=[*rows, row(4, "yes")])[0]
    assert both.endswith("3 apply to this study and 2 are satisfied; rule 3 is not satisfied.")
    several = written("R17", compliance=[*rows, row(6, "no")])[0]
    assert several.endswith("3 apply to this study and 1 is satisfied; rules 3 and 6 are not satisfied.")


def test_r18_states_the_cost_of_communication_only_where_it_was_measured():
    def row(cost, low=0.002, **changes):
        # A step has more in it than the gradients of the scratch copy, whose times with and without these are.
        values = {"step_s": 0.05, "exposed_s": 0.004, "waiting_s": 0.001, "with_s": 0.02, "without_s": 0.017}
        ends = dict.fromkeys(("cost_low_s", "cost_high_s"))
        if cost is not None and low is not None:
            ends = {"cost_low_s": low, "cost_high_s": 0.004}
        cell = {**CELL, **changes}
        return CommunicationRow(
            **cell, **values, **ends, pairs=9, gradient_bytes=4, cost_s=cost, cost_share=(cost or 0) / 0.02
        )

    assert written("R18", speedup=[speedup_row()], communication=[row(None)]) == []
    (text,) = written("R18", speedup=[speedup_row()], communication=[row(0.003)])
    assert text.endswith(
        "than without by 3.00 ms (95% CI 2.00–4.00 ms), 15% of the time that they take with it, for DDP, 2 CPU cores."
    )
    for cost, low, interval in (
        (0.0003, -0.0002, "95% CI −0.20 to 4.00 ms"),
        (0.003, 0.0, "95% CI 0.00–4.00 ms"),
        (0.003, None, "no interval"),
    ):
        (text,) = written("R18", speedup=[speedup_row()], communication=[row(cost, low)])
        assert "the data do not show that the gradients of a step take longer with communication" in text
        assert text.endswith(f" ms ({interval}) with DDP, 2 CPU cores.")
    both = [row(0.003), row(0.0001, -0.001, strategy="hsdp", devices=4)]
    longer, other = written("R18", speedup=[speedup_row(), speedup_row(strategy="hsdp", devices=4)], communication=both)
    assert ("DDP" in longer, "HSDP" in longer) == (True, False)
    assert other.endswith("the difference is 0.10 ms (95% CI −1.00 to 4.00 ms) with HSDP, 4 CPU cores.")


def test_r19_needs_a_probed_ceiling():
    assert written("R19", speedup=[speedup_row()]) == []
    (text,) = written(
        "R19", speedup=[speedup_row(ceiling_speedup=1.9, of_ceiling=0.789, of_ceiling_low=0.75, of_ceiling_high=0.83)]
    )
    assert text.endswith("serial trainings at once: 79% (95% CI 75%–83%) of 1.90× with DDP, 2 CPU cores.")


def test_r20_names_the_lowest_factor_when_all_were_measured():
    factors = {"data_feeding": 0.99, "load_balance": 0.9, "communication": 0.8, "computation_scalability": 0.97}
    rest = dict.fromkeys(("global_efficiency", "parallel", "serialization", "transfer", "measured"), 0.7)
    row = EfficiencyRow(**CELL, **factors, **rest, base_global=1.0, residual=0.0)
    (text,) = written("R20", speedup=[speedup_row()], efficiencies=[row])
    assert text.endswith("at its largest size: communication 80% with DDP, 2 CPU cores.")
    missing = row.model_copy(update={"load_balance": None})
    assert written("R20", speedup=[speedup_row()], efficiencies=[missing]) == []


def target_row(time_s, **changes):
    values = dict.fromkeys(("epochs_low", "epochs_high", "time_low_s", "time_high_s", "speedup_low", "speedup_high"))
    row = {**CELL, "global_batch": 128, "target": 0.9, "reached": 3, "epochs": 4.0, "time_s": time_s, "speedup": 1.5}
    return TargetRow(**{**row, **values, **changes})


def test_r21_names_the_parallel_cell_with_the_shortest_time_to_the_target():
    assert written("R21", speedup=[speedup_row()], targets=[target_row(None)]) == []
    assert written("R21", speedup=[speedup_row()], targets=[target_row(1.0, strategy="serial", devices=1)]) == []
    parallel = [target_row(20.0), target_row(12.0, devices=4)]

    def said(*serial):
        (text,) = written("R21", speedup=[speedup_row()], targets=[*parallel, *serial])
        assert (
            "the shortest median time to a test accuracy of 90.0% among the parallel configurations is that of" in text
        )
        assert "of DDP, 4 CPU cores: 12.00 s of training (no interval), in 3 of 3 runs; " in text
        return text.partition("; ")[2]

    base = target_row(1.0, strategy="serial", devices=1, scaling="strong")
    assert said(base) == "the serial base needs 1.00 s."
    seldom = base.model_copy(update={"reached": 2})
    assert said(seldom) == "the serial base needs 1.00 s, in 2 of 3 runs."
    never = base.model_copy(update={"time_s": None, "reached": 1})
    assert said(never) == "the serial base reaches it in 1 of 3 runs."
    assert (
        said()
        == said(target_row(1.0, strategy="serial", scaling="weak"))
        == "there is no serial base to set beside it."
    )


def prediction(**changes):
    curve = {"workload": "mnist", "scaling": "epoch", "strategy": "ddp", "algorithm": "ring", "devices": [2, 64]}
    values = {"efficiency": [0.9, 0.6], "low": [0.8, 0.5], "high": [1.0, 0.7], "step_s": [1.0, 1.0], "network": ""}
    return PredictionCurve(**{**curve, **values, **changes})


def validation(error=0.031, **changes):
    row = {
        "workload": "mnist",
        "scaling": "epoch",
        "strategy": "ddp",
        "model": "usl",
        "fitted_devices": 4,
        "devices": 8,
    }
    values = {"predicted": 0.7, "low": None, "high": None, "measured": 0.68, "error": error}
    return ValidationRow(**{**row, **values, **changes})


def test_r22_predicts_nothing_that_was_not_validated():
    assert written("R22", predictions=[prediction()]) == []
    assert written("R22", predictions=[prediction()], validation=[validation(strategy="hsdp")]) == []
    others = [validation(), validation(model="step model (tree)")]
    assert written("R22", predictions=[prediction()], validation=others) == []
    (text,) = written("R22", predictions=[prediction()], validation=[validation(model="step model (ring)")])
    assert text.endswith(
        "predicts for DDP on 64 CPU cores an efficiency of 60.0% (50.0% to 70.0% in simulated studies)."
    )


def test_r23_states_the_largest_error_with_its_sign():
    rows = [validation(0.031), validation(-0.052, devices=16)]
    (text,) = written("R23", validation=rows)
    assert "of 2 cells that it had not seen; its largest error is −5.2%, for DDP on 16 CPU cores." in text
    assert written("R23") == []


def test_r24_joins_strategies_with_one_reason():
    rows = [
        Refusal(workload="mnist", scaling="epoch", strategy=name, reason="too few cells") for name in ("ddp", "hsdp")
    ]
    (text,) = written("R24", refusals=rows[:1], predictions=[prediction(workload="cifar")])
    assert text == "No prediction is made for DDP (mnist, epoch scaling): too few cells."
    assert written("R24", refusals=rows) == ["No prediction is made for DDP and HSDP: too few cells."]


def test_r25_states_the_stopping_rule_and_which_cells_it_left_wide():
    def row(state):
        return RepeatRow(**{**CELL, "n": 6}, runs=6, half_width=0.01, target=0.02, state=state)

    assert written("R25", repeats=[row("fixed")]) == []
    rows = [row("reached"), row("reached"), row("at most"), row("running")]
    (text,) = written("R25", repeats=rows, stopping=RepeatsSpec())
    assert text.startswith(
        "Each cell was run 6 times or more, until half the 95% interval of its epoch time was at most 2.0%"
    )
    assert "at most 15 times; runs in which other programs took more than 5% of the machine do not count" in text
    assert text.endswith(": 2 of 4 cells reached it, in 1 the largest number of runs came first and 1 lacks runs.")
    (text,) = written("R25", repeats=rows, stopping=RepeatsSpec(min=3))
    assert "at most 2.0% of its median and then once more, and at most 15 times" in text


def test_only_the_prediction_section_goes_beyond_what_was_measured_and_no_sentence_judges():
    for rule in RULES:
        predicts = "predict" in rule.states
        assert not predicts or set(rule.write) == {"prediction"}, rule.id
    texts = " ".join(f"{text} {phrase}" for text, phrase in GERMAN.phrases.items()).lower()
    for word in ("because", "due to", "significant", "near-linear", "signifikant", "wegen", "nahezu linear"):
        assert word not in texts
    printed = texts + "".join(path.read_text(encoding="utf-8") for path in PRINTED).lower()
    for word in ("disturb", "dis-\\ turb", "stör"):  # what other programs take is measured, what it does is not
        assert word not in printed
    causal = "since|caused|causes|therefore|hence|thus|aufgrund|infolge|deshalb|daher|weil"
    assert re.findall(rf"[^.]*\b(?:{causal})\b[^.]*", texts) == []


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (ENGLISH, "; in 2 of 3 completed runs other programs took more than 5% of the machine"),
        (GERMAN, "; in 2 von 3 beendeten Läufen belegten andere Programme mehr als 5\u00a0% der Maschine"),
    ],
)
def test_a_headline_tells_the_load_that_was_measured_and_its_limit(language, said):
    row = speedup_row(fastest=True)
    runs = [RunRow(**RUN, foreign_load=load) for load in (0.05, 0.051, 0.2)]  # at the limit is not above it
    runs += [RunRow(**{**RUN, "outcome": "missing"}), RunRow(**RUN, foreign_load=0.3, excluded="it was repeated")]

    def detail(runs):
        found = replace(NOTHING, speedup=[row], workloads=[facts()], runs=runs, language=language)
        return headlines(found)[0].detail

    assert detail(runs).endswith(said)
    assert said not in detail(runs[:1])
    base = [run.model_copy(update={"strategy": "serial", "scaling": "strong", "devices": 1}) for run in runs[1:]]
    assert detail([runs[0], *base]).endswith(said)  # which epoch scaling shares with strong scaling
    assert said not in detail([runs[0], *(run.model_copy(update={"scaling": "weak"}) for run in base)])


def mitigation_row(**changes):
    values = {
        "workload": "mnist", "scaling": "epoch", "strategy": "ddp_fp16", "nodes": 1, "devices": 2, "n": 3,
        "other_strategy": "ddp", "other_n": 3, "options": "compression: none → fp16", "differences": 1, "ratio": 0.9,
        "low": 0.85, "high": 0.95, "method": "", "verdict": "faster", "exposed_change_s": None, "cost_change_s": None,
        "waiting_change_s": None, "data_change_s": None,
    }  # fmt: skip
    return MitigationRow(**values | changes)


def said_of_options(*rows):
    titles = [
        StrategyRow(name=name, title=title, replicated="", exchanged="", implementations=[], strategy="ddp")
        for name, title in (("ddp", "DDP"), ("ddp_fp16", "DDP (ddp_fp16)"))
    ]
    return written("R26", mitigations=rows, strategies=titles, speedup=[speedup_row()], workloads=[facts()])


def test_r26_states_ratio_interval_and_what_differs():
    assert said_of_options(mitigation_row()) == [
        "For MNIST, the epoch times of one strategy with different options stand in these ratios: "
        "DDP (ddp_fp16), 2 CPU cores against DDP (compression: none → fp16): 0.90× (95% CI 0.85–0.95)."
    ]


@pytest.mark.parametrize(
    ("low", "high", "separated"),
    [(0.85, 0.999, True), (0.85, 1.0, False), (1.0, 1.2, False), (1.001, 1.2, True), (None, None, True)],
)
def test_r26_says_that_nothing_is_separated_when_the_interval_holds_one(low, high, separated):
    (text,) = said_of_options(mitigation_row(low=low, high=high))
    assert ("the data do not separate them" in text) is not separated


@pytest.mark.parametrize(("differences", "several"), [(1, False), (2, True)])
def test_r26_says_when_the_ratio_is_that_of_several_differences(differences, several):
    (text,) = said_of_options(mitigation_row(differences=differences))
    assert (f"for {differences} differences together" in text) is several


def test_r26_takes_the_most_devices_that_have_a_ratio_and_is_silent_without_one():
    nothing = {"ratio": None, "low": None, "high": None}
    larger = mitigation_row(devices=4, ratio=0.8), mitigation_row(devices=8, **nothing)
    (text,) = said_of_options(mitigation_row(), *larger)
    assert "4 CPU cores" in text
    assert text.count("against") == 1
    assert said_of_options(mitigation_row(**nothing)) == []
    assert said_of_options() == []


def link_row(error, **changes):
    values = {
        "nodes": 1, "devices": 2, "group": "all", "ranks": 2, "backend": "gloo", "sizes": 8, "repeats": 9,
        "alpha_s": 1e-4, "alpha_low_s": None, "alpha_high_s": None, "beta_s_per_byte": 1e-9,
        "beta_low_s_per_byte": None, "beta_high_s_per_byte": None,
    }  # fmt: skip
    return LinkRow(**values | changes, largest_error=error)


@pytest.mark.parametrize(("error", "said"), [(0.25, ""), (0.2501, "25.01%"), (0.94, "94%")])
def test_r27_names_a_fit_of_the_all_reduce_that_misses_a_time_by_more_than_a_quarter(error, said):
    text = "The fit of start-up and rate differs from a measured time of the all-reduce by more than 25%: "
    found = written("R27", probe=ProbeFacts(links=[link_row(0.1), link_row(error)]))
    assert found == ([f"{text}{said} between all 2 ranks on 1 node."] if said else [])


def test_r27_tells_one_rank_of_each_node_from_all_ranks():
    links = [link_row(0.5, nodes=2, devices=4, ranks=4), link_row(0.4, nodes=2, devices=4, group="nodes")]
    (text,) = written("R27", probe=ProbeFacts(links=links))
    assert text.endswith("50% between all 4 ranks on 2 nodes and 40% between one rank each of 2 nodes.")


@pytest.mark.parametrize(
    ("speedup", "low", "said"),
    [
        (2.0, 1.9, ""),
        (2.002, 1.9, "100.1%, 95% CI 95.0%–110.0%, the data do not separate it from 100%"),
        (2.1, 2.004, "105.0%, 95% CI 100.2%–110.0%"),
        (2.1, 1.9, "105%, 95% CI 95%–110%, the data do not separate it from 100%"),
    ],
)
def test_r28_names_what_trains_more_images_per_device_than_the_base(speedup, low, said):
    rows = [speedup_row(speedup=speedup, low=low, high=2.2)]
    found = written("R28", speedup=rows, workloads=[facts()])
    start = "For MNIST, more images per second and device than on one device alone are trained by "
    assert found == ([f"{start}DDP, 2 CPU cores (efficiency {said})."] if said else [])


@pytest.mark.parametrize(
    ("low", "high", "clear"), [(1.0001, 3, True), (1.0, 3, False), (0.9, 1.0, False), (0.5, 0.99, True)]
)
def test_r2_says_that_a_speedup_is_not_separated_from_one_device_and_does_not_stress_it(low, high, clear):
    row = speedup_row(speedup=1.5, speedup_low=low, speedup_high=high)
    text = written("R2", speedup=[row])[0]
    assert bool(re.search(r"\*\*1\.50*×\*\*", text)) is clear
    assert text.endswith(", and the data do not separate it from one device.") is not clear


@pytest.mark.parametrize(
    ("truth", "noise", "verdict"),
    [(2.0, 0.01, ""), (0.8, 0.001, "slower than one device; "), (1.0, 0.01, "not separated from one device; ")],
)
def test_a_headline_says_where_it_does_not_pay(tmp_path, truth, noise, verdict):
    study = make_study(
        tmp_path, workloads=1, strategies={"ddp": ["1x2"]}, speedups={("ddp", "1x2"): truth}, noise=noise
    )
    fastest = report_data(collect(study.results)).headlines[0]
    assert fastest.detail.startswith(f"{verdict}DDP, 2 ")
