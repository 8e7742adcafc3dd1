"""The PDF: its numbers, its metadata, and texts that would be code elsewhere."""

import hashlib
import io
import itertools
import json
import operator
import os
import re
import subprocess
import sys
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path

import pypdf
import pytest
import report_data
import typst
from report_findings import with_findings

from scalestudy import __version__
from scalestudy.analysis.cells import key_of
from scalestudy.analysis.methods import METHODS
from scalestudy.errors import StudyError
from scalestudy.records.findings import Exclusion
from scalestudy.records.report import EnvironmentRow
from scalestudy.report import numbers
from scalestudy.report.figures import draw_figures
from scalestudy.report.pdf import TEMPLATE, compile_report, write_manuscript
from scalestudy.report.printable import printable, printable_text
from scalestudy.report.run_facts import LONGEST, MOST_LINES
from scalestudy.spec.catalog import STRATEGIES

RUNS = "run,epoch_time_s\na,1.5\n"


def make(data):
    return compile_report(data, draw_figures(printable(data)), RUNS, "pdf")


def text_of(pdf):
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages)


def bare(text):
    """Without any white space and joined ligatures, which line breaking and fonts put in."""
    for ligature, letters in {"ﬁ": "fi", "ﬂ": "fl", "ﬀ": "ff", "ﬃ": "ffi", "ﬄ": "ffl"}.items():
        text = text.replace(ligature, letters)
    return re.sub(r"[\s\u00ad]+", "", text)


@pytest.fixture(scope="module")
def laptop():
    return make(report_data.laptop())


@pytest.fixture(scope="module")
def reader(laptop):
    return pypdf.PdfReader(io.BytesIO(laptop))


@pytest.mark.parametrize("shape", [report_data.laptop, report_data.cluster])
def test_every_number_of_the_speedup_table_is_printed_as_it_is_formatted(shape):
    data = shape()
    text = bare(text_of(compile_report(data, [], RUNS, "pdf")))
    blocks = []  # of many cells, those of a strategy share a row of the table, a line each in every column
    for row in data.speedup:
        members = [r for r in data.speedup if (r.workload, r.scaling) == (row.workload, row.scaling)]
        cells = [
            row.nodes,
            row.devices,
            row.n,
            numbers.fixed(row.time_s, numbers.decimals_for(r.time_s for r in members)),
            numbers.fixed(row.images_per_s, min(1, numbers.decimals_for(r.images_per_s for r in members))),
        ]
        if row.speedup is None:
            cells.append(row.note)
        else:
            low_high = numbers.interval(row.speedup_low, row.speedup_high, 2)
            cells += [
                numbers.fixed(row.speedup, 2),
                "baseline" if row.strategy == "serial" else low_high,
                numbers.percent(row.efficiency),
                numbers.fixed(row.end_to_end_speedup, 2),
            ]
        key = (row.workload, row.scaling, row.strategy)
        if len(data.speedup) > 60 and row.speedup is not None and blocks and blocks[-1][0] == key:
            blocks[-1][1].append(cells)
        else:
            blocks.append((key if row.speedup is not None else None, [cells]))
    assert (max(len(lines) for _, lines in blocks) > 1) == (shape is report_data.cluster)
    for key, lines in blocks:
        assert bare("".join(str(cell) for column in zip(*lines, strict=True) for cell in column)) in text, key


def lost(row):
    return (row.workload, row.scaling, row.strategy, row.nodes, row.devices) == ("mnist", "strong", "hybrid", 2, 8)


def test_a_cell_without_a_completed_run_keeps_its_row_in_every_table_of_the_sections():
    data = report_data.whole()
    nothing = {"n": 0, "speedup": None, "time_s": None, "images_per_s": None, "note": "no completed run"}
    kept = {name: [r for r in getattr(data, name) if not lost(r)] for name in ("phases", "targets", "communication")}
    speedup = [row.model_copy(update=nothing) if lost(row) else row for row in data.speedup]
    text = bare(text_of(compile_report(data.model_copy(update=kept | {"speedup": speedup}), [], RUNS, "pdf")))
    assert text.count("Hybrid2×4nocompletedrun") == len(kept)
    assert "Hybrid280––nocompletedrun" in text  # that of speedups


def test_the_epoch_time_of_a_cell_without_a_row_gives_the_table_of_targets_no_decimals():
    data = report_data.whole()
    nothing = {"speedup": None, "note": "strategy fails the parity check"}
    targets = [row for row in data.targets if not lost(row)]

    def printed(time_s):
        changes = {**nothing, "time_s": time_s}
        speedup = [row.model_copy(update=changes) if lost(row) else row for row in data.speedup]
        shown = data.model_copy(update={"targets": targets, "speedup": speedup})
        text = text_of(compile_report(shown, [], RUNS, "pdf"))
        return re.search(r"Time to accuracy, strong.*?Time to accuracy, ", text, re.S).group()

    assert "strategy fails the parity check" in printed(0.0123)
    assert printed(0.0123) == printed(None)


def test_time_to_accuracy_stands_beside_the_base_that_two_scalings_share():
    layouts = {"serial": ["1x1"], "ddp": ["1x2"]}
    data = with_findings(report_data.build(report_data.Shape(("mnist",), ("strong", "epoch"), layouts)))

    def once(rows):
        return [row for row in rows if (row.strategy, row.scaling) != ("serial", "epoch")]

    shared = data.model_copy(update={"speedup": once(data.speedup), "targets": once(data.targets)})
    text = bare(text_of(compile_report(shared, [], RUNS, "pdf")))
    assert text.count("Serial1×16487.0") == 2


def test_what_no_run_recorded_of_a_model_is_not_a_zero():
    data = report_data.nothing_completed()
    unknown = [row.model_copy(update={"parameters": 0, "gradient_bytes": 0}) for row in data.workloads]
    text = bare(text_of(compile_report(data.model_copy(update={"workloads": unknown}), [], RUNS, "pdf")))
    assert "Parametersnotrecordednotrecorded" in text
    assert "Gradientsnotrecordednotrecorded" in text


@pytest.mark.parametrize(
    ("language", "runs", "words"),
    [
        ("en", 1, "from the records of 1 planned run."),
        ("en", 2, "from the records of 2 planned runs."),
        ("de", 1, "aus den Aufzeichnungen von 1 geplanten Lauf macht."),
        ("de", 2, "aus den Aufzeichnungen von 2 geplanten Läufen macht."),
    ],
)
def test_one_run_is_no_plural(language, runs, words):
    data = report_data.single()
    said = data.words.model_copy(update={"language": language})
    text = bare(
        text_of(compile_report(data.model_copy(update={"words": said, "runs": data.runs[:runs]}), [], RUNS, "pdf"))
    )
    assert bare(words) in text


def test_a_study_of_the_base_alone_says_that_no_cell_has_efficiency_factors():
    data = with_findings(report_data.build(report_data.Shape(("mnist",), layouts={"serial": ["1x1"], "ddp": ["1x2"]})))
    base = [row.model_copy(update={"strategy": "serial", "nodes": 1, "devices": 1}) for row in data.efficiencies]
    sentence = "Nocellhasefficiencyfactors."
    assert sentence not in bare(text_of(compile_report(data, [], RUNS, "pdf")))
    assert sentence in bare(text_of(compile_report(data.model_copy(update={"efficiencies": base}), [], RUNS, "pdf")))


@pytest.mark.parametrize("word", ["Konfidenzintervalle", "Skalierungsgesetzes"])
def test_a_long_word_of_a_table_is_hyphenated_where_its_language_has_it(word):
    """Its parts would read as two words otherwise."""
    data = report_data.whole()
    rows = [row.model_copy(update={"title": "ii " * place + word}) for place, row in enumerate(data.compliance, 12)]
    said = data.words.model_copy(update={"language": "de"})
    text = text_of(compile_report(data.model_copy(update={"compliance": rows, "words": said}), [], RUNS, "pdf"))
    parts = re.findall(r"-?\n?".join(word), text.replace("\u00ad", "-"))
    broken = [part for part in parts if "\n" in part]
    assert len(parts) == len(rows)
    assert broken
    assert all("-\n" in part for part in broken)


NOT_MEASURED = "n.m."


def signed(value, decimals):
    text = numbers.fixed(value, decimals)
    return f"+{text}" if value > 0 and re.search("[1-9]", text) else text


@pytest.fixture(scope="module")
def whole():
    data = report_data.whole()
    return data, bare(text_of(compile_report(data, [], RUNS, "pdf")))


def assert_printed(rows, cells_of, text):
    """The cells of every row follow each other in the text, as often as rows have them."""
    wanted = Counter(bare("".join(map(str, cells_of(row)))) for row in rows)
    assert wanted
    assert {line: times for line, times in wanted.items() if text.count(line) < times} == {}


def layout(row):
    return f"{row.nodes}×{row.devices // row.nodes}"


def test_every_number_of_the_table_of_factors_is_printed(whole):
    data, text = whole
    fields = ("global_efficiency", "parallel", "data_feeding", "load_balance", "communication")
    fields += ("computation_scalability", "measured")

    def cells(row):
        name = STRATEGIES[row.strategy].title
        if row.global_efficiency is None:
            return [name, layout(row), row.reason, numbers.percent(row.measured)]
        shares = [numbers.percent(getattr(row, field)) for field in fields]
        return [name, layout(row), *shares, signed(100 * row.residual, 1)]

    assert_printed(data.efficiencies, cells, text)


def test_every_number_of_the_table_of_communication_is_printed(whole):
    data, text = whole

    def millis(value):
        return NOT_MEASURED if value is None else numbers.fixed(1000 * value, 2)

    def cells(row):
        start = [STRATEGIES[row.strategy].title, layout(row), millis(row.step_s), millis(row.exposed_s)]
        if row.cost_s is None:
            return [*start, row.reason]
        low_high = numbers.interval(1000 * row.cost_low_s, 1000 * row.cost_high_s, 2)
        times = [millis(row.with_s), millis(row.without_s), millis(row.cost_s)]
        return [*start, *times, low_high, numbers.percent(row.cost_share), row.pairs]

    assert_printed(data.communication, cells, text)


def test_every_number_of_the_table_of_fits_is_printed(whole):
    data, text = whole
    laws = {"amdahl": "Amdahl", "gustafson": "Gustafson", "usl": "USL"}
    parameters = {"serial_fraction": "serial fraction", "sigma": "contention"}

    def refusal(key):
        scaling, law, reason = key
        return [f"{laws[law]}, {scaling.title()} scaling: {reason}"]

    def cells(row):
        start = [STRATEGIES[row.strategy].title, f"{row.scaling.title()} scaling", laws[row.law]]
        value, low_high = numbers.fixed(row.value, 4), numbers.interval(row.low, row.high, 4)
        points = f"{row.n}, {row.largest_devices}"
        return [*start, parameters[row.parameter], value, low_high, points, numbers.percent(row.error)]

    refused = [row for row in data.fits if row.refused]
    assert_printed([row for row in data.fits if not row.refused], cells, text)
    assert_printed({(row.scaling, row.law, row.refused) for row in refused}, refusal, text)
    for row in refused:
        line = text[text.index(bare("".join(refusal((row.scaling, row.law, row.refused))))) :]
        assert bare(STRATEGIES[row.strategy].title) in line[: line.index(").")]


def test_every_number_of_the_table_of_validation_is_printed(whole):
    data, text = whole
    models = {"usl": "USL", "step model (ring)": "step model, ring"}

    def cells(row):
        between = f"{numbers.percent(row.low)}–{numbers.percent(row.high)}"
        scaling = f"{row.scaling.title()} scaling"
        start = [STRATEGIES[row.strategy].title, scaling, models[row.model], row.fitted_devices, layout(row)]
        ends = [numbers.percent(row.measured), signed(100 * row.error, 1)]
        return [*start, numbers.percent(row.predicted), between, *ends]

    assert_printed(data.validation, cells, text)


def test_every_number_of_the_table_of_phases_is_printed(whole):
    data, text = whole
    fields = ("data_s", "host_to_device_s", "forward_s", "backward_s", "communication_s", "waiting_s", "optimizer_s")

    def cells(row):
        members = [other for other in data.phases if (other.workload, other.scaling) == (row.workload, row.scaling)]
        values = [getattr(row, field) for field in (*fields, "other_s")]
        shares = [NOT_MEASURED if x is None else numbers.fixed(100 * x / row.total_s, 1) for x in values]
        total = numbers.fixed(row.total_s, numbers.decimals_for(other.total_s for other in members))
        return [STRATEGIES[row.strategy].title, layout(row), total, *shares, numbers.fixed(row.price, 2)]

    assert_printed(data.phases, cells, text)


def test_every_number_of_the_table_of_accuracies_is_printed(whole):
    data, text = whole

    def cells(row):
        percents = f"{numbers.fixed(100 * row.accuracy, 2)} ± {numbers.fixed(100 * row.accuracy_sd, 2)}"
        start = [STRATEGIES[row.strategy].title, layout(row), row.n, percents]
        if row.difference is None:
            return [*start, "–", "–", row.verdict]
        low, high = (signed(100 * x, 2) for x in (row.difference_low, row.difference_high))
        return [*start, signed(100 * row.difference, 2), f"[{low}, {high}]", row.verdict]

    assert_printed(data.accuracy, cells, text)


def test_every_number_of_the_links_and_of_the_all_reduce_times_is_printed(whole):
    data, text = whole

    def link(row):
        times = [numbers.significant(1e6 * row.alpha_s), numbers.significant(1e-6 / row.beta_s_per_byte)]
        return [layout(row), "all ranks", row.ranks, row.backend, *times, numbers.percent(row.largest_error)]

    def time_of(row):
        decimals = numbers.decimals_for([1e6 * row.time_s])
        low_high = numbers.interval(1e6 * row.time_low_s, 1e6 * row.time_high_s, decimals)
        values = [numbers.significant(1e6 * row.time_s), low_high, numbers.significant(1e6 * row.fitted_s)]
        return [layout(row), "all ranks", row.ranks, numbers.fixed(row.bytes, 0), row.n, *values]

    assert_printed(data.probe.links, link, text)
    assert_printed(data.probe.all_reduce, time_of, text)


def test_every_number_of_the_further_tables_is_printed(whole):
    data, text = whole

    def place(row):
        return [STRATEGIES[row.strategy].title, layout(row), f"{row.scaling.title()} scaling"]

    def repeats(row):
        shares = [numbers.fixed(100 * row.half_width, 1), numbers.fixed(100 * row.target, 1)]
        return [*place(row), row.n, row.runs, *shares, row.state]

    prices = {key_of(row): row for row in data.phases}

    def ratios(row):
        def between(write, value, low, high):
            if value is None:
                return "–"
            return f"{write(value)} " + ("–" if low is None else f"[{write(low)}, {write(high)}]")

        def two(value):
            return numbers.fixed(value, 2)

        price = prices[key_of(row)]
        return [
            *place(row),
            between(two, row.end_to_end_speedup, row.end_to_end_low, row.end_to_end_high),
            between(two, price.price, price.price_low, price.price_high),
            between(numbers.percent, row.of_ceiling, row.of_ceiling_low, row.of_ceiling_high),
        ]

    def mean(row):
        members = [other.mean_s for other in data.speedup if other.workload == row.workload]
        decimals = numbers.decimals_for(members)
        low_high = numbers.interval(row.mean_low_s, row.mean_high_s, decimals)
        return [*place(row), row.n, numbers.fixed(row.mean_s, decimals), low_high]

    def equivalence(row):
        p_value = "2.0·10⁻⁵" if row.p_value < 1e-4 else numbers.fixed(row.p_value, 4)
        difference = signed(100 * row.difference, 2)
        return [*place(row), f"{row.n}, {row.base_n}", difference, numbers.fixed(100 * row.margin, 2), p_value]

    def batch(row):
        start = [numbers.fixed(row.global_batch, 0), numbers.fixed(100 * row.target, 1), f"{row.reached}/{row.n}"]
        if row.epochs is None:
            return [*start, "–", "–"]
        return [*start, numbers.fixed(row.epochs, 1), numbers.interval(row.epochs_low, row.epochs_high, 1)]

    assert_printed([row for row in data.speedup if row.strategy != "serial" and row.speedup], ratios, text)
    assert_printed(data.repeats, repeats, text)
    assert_printed([row for row in data.speedup if row.mean_s], mean, text)
    assert_printed(data.equivalence, equivalence, text)
    assert_printed(data.epochs_to_target, batch, text)


def test_every_number_of_the_table_of_all_runs_is_printed():
    data = report_data.cluster()
    text = bare(text_of(compile_report(data, [], RUNS, "pdf")))
    table = text[text.index("Everyplannedrun.") :]
    completed = [row for row in data.runs if row.outcome == "completed"]
    assert len(completed) > 300

    def cells(row):
        own = [one for one in data.runs if one.workload == row.workload]
        times = [
            numbers.fixed(getattr(row, name), numbers.decimals_for([getattr(one, name) for one in own]))
            for name in ("epoch_time_s", "startup_s", "total_s")
        ]
        rates = [numbers.fixed(row.images_per_s, 0), numbers.fixed(100 * row.accuracy, 2)]
        shares = [numbers.fixed(row.peak_memory_bytes / 2**20, 0), numbers.fixed(100 * row.foreign_load, 1)]
        return [row.run, *times, *rates, *shares, row.weights_sha256[:8]]

    def block(rows):
        """A row of the table: a line of each run in every column."""
        if rows[0].outcome != "completed":
            return [rows[0].run, f"{rows[0].outcome}: {rows[0].reason}"]
        return [cell for column in zip(*map(cells, rows), strict=True) for cell in column]

    blocks = []
    for outcome, rows in itertools.groupby(data.runs, lambda row: row.outcome):
        most = MOST_LINES if outcome == "completed" else 1
        members = list(rows)
        blocks += [members[start : start + most] for start in range(0, len(members), most)]
    assert max(map(len, blocks)) == MOST_LINES
    assert_printed(blocks, block, table)


def test_a_name_too_long_for_its_line_stands_alone_in_the_table_of_all_runs():
    data = report_data.single()
    long = data.runs[0].model_copy(update={"run": f"mnist/{'x' * LONGEST}"})
    runs = [data.runs[0], long, data.runs[1]]
    text = bare(text_of(compile_report(data.model_copy(update={"runs": runs}), [], RUNS, "pdf")))
    assert bare(f"{long.run}{numbers.significant(long.epoch_time_s)}{numbers.significant(long.startup_s)}") in text


@pytest.mark.parametrize(
    ("total_s", "words"), [(42.0, "42.0 seconds"), (298.0, "4.97 minutes"), (3600.0, "1.00 hours")]
)
def test_the_time_of_all_runs_is_in_a_unit_that_suits_it(total_s, words):
    data = report_data.single()
    counts = data.counts.model_copy(update={"total_s": total_s})
    text = bare(text_of(compile_report(data.model_copy(update={"counts": counts}), [], RUNS, "pdf")))
    assert bare(words) in text[text.rindex("Expectedtime") :]


@pytest.mark.parametrize(
    ("language", "untimed", "completed", "words"),
    [
        ("en", 99, True, "No usable record says how long whole runs took."),
        ("de", 99, True, "Keine brauchbare Aufzeichnung sagt, wie lange ganze Läufe dauerten."),
        ("en", 1, True, "start-up included; this is known of {timed} of {all} completed runs."),
        ("de", 1, True, "Start eingeschlossen; bekannt ist das von {timed} der {all} beendeten Läufe."),
        ("en", 0, True, "one after the other, start-up included."),
        ("en", 99, False, "No run completed."),
        ("de", 99, False, "Kein Lauf wurde beendet."),
    ],
)
def test_completed_runs_that_lack_their_time_are_not_said_to_be_none(language, untimed, completed, words):
    data = report_data.single()
    lost = {} if completed else {"outcome": "failed", "reason": "x"}
    runs = [
        row.model_copy(update={**lost, **({"total_s": None} if place < untimed else {})})
        for place, row in enumerate(data.runs)
    ]
    done = [row for row in runs if row.outcome == "completed"]
    times_s = [row.total_s for row in done if row.total_s is not None]
    counts = {"total_s": sum(times_s), "completed": len(done), "failed": len(runs) - len(done)}
    changes = {"runs": runs, "counts": data.counts.model_copy(update=counts)}
    changes["words"] = data.words.model_copy(update={"language": language})
    text = bare(text_of(compile_report(data.model_copy(update=changes), [], RUNS, "pdf")))
    assert bare(words.format(timed=len(times_s), all=len(done))) in text


@pytest.mark.parametrize(
    ("image", "host", "front", "described"),
    [
        ("sha256:" + 64 * "a", "n1", f"image {11 * 'a'} ", "Container image sha256:aaaa"),
        ("", "n1", "no container", "The runs were not in a container."),
        ("", "", "image not recorded", "Whether the runs were in a container was not recorded."),
    ],
)
def test_a_container_is_named_or_denied_where_runs_recorded_it_and_unknown_otherwise(image, host, front, described):
    data = report_data.single()
    runs = [row.model_copy(update={"host": host}) for row in data.runs]
    text = bare(text_of(compile_report(data.model_copy(update={"image": image, "runs": runs}), [], RUNS, "pdf")))
    assert bare(front) in text[: text.index("Abstract.")]
    assert bare(described) in text[text.rindex("Artifactidentification") :]


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "For the loading of data there is no option: the data stays in memory"),
        ("de", "Für das Laden der Daten gibt es keine Option: Sie bleiben im Speicher"),
    ],
)
def test_a_report_without_a_pair_says_that_the_loading_of_data_has_none_to_offer(language, said):
    data = report_data.single()
    spoken = data.model_copy(update={"words": data.words.model_copy(update={"language": language})})
    assert bare(said) in bare(text_of(compile_report(spoken, [], RUNS, "pdf")))


@pytest.mark.parametrize("language", ["en", "de"])
def test_what_a_repeat_is_held_against_depends_on_intervals_and_other_hardware_is_not_guessed_at(language):
    words = {
        "en": ("where these overlap", "No interval of a speedup"),
        "de": ("Wo sie sich mit", "kein Intervall eines Speedups"),
    }
    for data, intervals in ((report_data.laptop(), True), (report_data.single(), False)):
        spoken = data.model_copy(update={"words": data.words.model_copy(update={"language": language})})
        text = bare(text_of(compile_report(spoken, [], RUNS, "pdf")))
        assert [bare(phrase) in text for phrase in words[language]] == [intervals, not intervals]
        assert not re.search("areexpected|werdenerwartet|sollten", text)


def test_what_is_not_known_of_a_run_is_a_dash_in_the_table_of_all_runs():
    data = report_data.single()
    unknown = {"startup_s": None, "total_s": None, "accuracy": None, "peak_memory_bytes": None, "foreign_load": None}
    bare_runs = [row.model_copy(update=unknown | {"weights_sha256": ""}) for row in data.runs]
    text = bare(text_of(compile_report(data.model_copy(update={"runs": bare_runs}), [], RUNS, "pdf")))
    names, times = (
        "".join(row.run for row in bare_runs),
        "".join(numbers.significant(r.epoch_time_s) for r in bare_runs),
    )
    rates, dash = "".join(numbers.fixed(row.images_per_s, 0) for row in bare_runs), "–" * len(bare_runs)
    assert bare(f"{names}{times}{dash}{dash}{rates}{dash}{dash}{dash}") in text


def test_five_thousand_failed_and_excluded_runs_are_set_in_seconds():
    data = report_data.single()
    lost = [
        data.runs[0].model_copy(update={"run": f"run{place}", "outcome": "failed", "reason": "out of memory"})
        for place in range(5000)
    ]
    excluded = [Exclusion(run=row.run, excluded_from="every number", reason=row.reason) for row in lost]
    started = time.process_time()
    compile_report(data.model_copy(update={"exclusions": excluded, "runs": lost}), [], RUNS, "pdf")
    assert time.process_time() - started < 25  # comparing every exclusion with every failure took 28 s alone


def test_sections_come_in_the_order_of_the_course_report(laptop):
    headings = ["Abstract.", "1Overview", "2Modelandserialbaseline", "3Parallelizationstrategies"]
    headings += ["4Targetarchitecture", "5Experimentalset-up", "6Performance", "7Accuracyandcorrectness"]
    headings += ["8Performancechallenges", "9Prediction", "10Discussionandconclusion", "AAllruns", "BFailures"]
    headings += ["CProvenanceandreproduction", "DRulesofthegeneratedsentences", "ETwelverules", "FArtifactdescription"]
    text = bare(text_of(laptop)).rpartition("FArtifactdescription......")[2]  # behind the contents list
    places = [text.index(heading) for heading in headings[1:]]
    assert places == sorted(places)


def test_what_the_authors_left_out_is_said_in_a_sentence(laptop):
    text = bare(text_of(laptop))
    for word in ("overview", "interpretation", "conclusion"):
        assert f"No{word}wassuppliedbytheauthors" in text


def test_who_analyzed_and_set_the_report_and_where_the_artifact_can_be_had_is_said():
    data = report_data.laptop()
    facts = [one.model_copy(update={"test_images": 1234}) for one in data.workloads]
    data = data.model_copy(update={"version": "7.8.9", "workloads": facts})
    text = bare(text_of(make(data)))
    query = b'#metadata(array(sys.version).map(str).join(".")) <out>'
    compiler = typst.query(query, "<out>", field="value", one=True).strip('"')
    assert (
        bare(f"analyzed by scalestudy 7.8.9; this file was set by scalestudy {__version__} with Typst {compiler}")
        in text
    )
    assert bare(f"matplotlib {version('matplotlib')}") in text
    assert text.count("1,234") >= len(facts)
    assert bare("Where they can be had, the authors did not say (report.availability is empty)") in text
    words = data.words.model_copy(update={"availability": "https://example.org/it"})
    text = bare(text_of(make(data.model_copy(update={"words": words, "version": ""}))))
    assert bare("Where they can be had: https://example.org/it") in text
    assert bare("analyzed by an earlier version of scalestudy") in text


def test_the_authors_words_and_the_sentences_with_their_rules_are_printed():
    words = {"discussion": "We think it was the cache.", "conclusion": "Buy one node."}
    data = report_data.build(report_data.Shape(words=words))
    text = bare(text_of(make(data)))
    for expected in [*words.values(), *(row.text.replace("**", "") for row in data.sentences)]:
        assert bare(expected) in text
    assert "R10" in text
    assert "No interpretation" not in text


def test_hostile_texts_are_printed_as_they_are():
    pdf = make(report_data.hostile())
    text = bare(text_of(pdf))
    for hostile in report_data.HOSTILE:
        if hostile == "שלום مرحبا":
            continue  # extraction returns right-to-left letters in either order; the reference pages show them
        assert text.count(bare(printable_text(hostile))) >= 10, hostile


@pytest.mark.parametrize(
    "text", ["]", "#" * 30, "\\", '"', "\\u{0}", "$", "#{", "*/", "`" * 3, "<a>", "\n\n\n", " ", "-" * 300]
)
def test_single_hostile_texts_in_every_field_compile(text):
    assert compile_report(report_data.hostile((text,)), [], RUNS, "pdf").startswith(b"%PDF")


def test_the_same_data_give_the_same_bytes(laptop):
    assert hashlib.sha256(make(report_data.laptop())).digest() == hashlib.sha256(laptop).digest()


def test_another_process_with_another_hash_seed_makes_the_same_bytes(laptop):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import hashlib, report_data;"
        "from scalestudy.report.figures import draw_figures; from scalestudy.report.pdf import compile_report;"
        "from scalestudy.report.printable import printable; data = report_data.laptop();"
        "pdf = compile_report(data, draw_figures(printable(data)), sys.argv[2], 'pdf');"
        "print(hashlib.sha256(pdf).hexdigest())"
    )
    tests = str(Path(report_data.__file__).parent)
    for seed in ("1", "4242"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", code, tests, RUNS]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == hashlib.sha256(laptop).hexdigest()


def test_title_authors_date_and_language_are_recorded(reader):
    assert reader.metadata.title == "Data-parallel training of small networks"
    assert reader.metadata.author == "A. Student, B. Student"
    assert reader.metadata.creation_date.date().isoformat() == "2026-11-22"
    assert reader.trailer["/Root"]["/Lang"].startswith("en")


def test_it_is_archivable_accessible_and_tagged(reader):
    xmp = reader.trailer["/Root"]["/Metadata"].get_data().decode()
    assert "<pdfaid:part>3</pdfaid:part>" in xmp
    assert "<pdfaid:conformance>A</pdfaid:conformance>" in xmp
    assert "<pdfuaid:part>1</pdfuaid:part>" in xmp
    assert reader.trailer["/Root"]["/MarkInfo"]["/Marked"]
    assert "/StructTreeRoot" in reader.trailer["/Root"]


def test_the_outline_names_the_sections(reader):
    titles = [item.title for item in reader.outline if not isinstance(item, list)]
    assert len(titles) == 17
    assert titles[0].endswith("Overview")
    assert titles[-2].endswith("Artifact description")
    assert titles[-1].endswith("Further tables")


def test_runs_and_report_are_attached(reader):
    attached = {name: contents[0] for name, contents in reader.attachments.items()}
    assert attached["runs.csv"].decode() == RUNS
    assert json.loads(attached["report.json"]) == json.loads(report_data.laptop().model_dump_json())


def test_every_font_is_embedded(reader):
    fonts = set()
    for page in reader.pages:
        for font in page["/Resources"]["/Font"].values():
            inner = font.get_object().get("/DescendantFonts", [font])[0].get_object()
            descriptor = inner["/FontDescriptor"].get_object()
            fonts.add(str(descriptor["/FontName"]).split("+")[-1])
            assert {"/FontFile", "/FontFile2", "/FontFile3"} & descriptor.keys(), descriptor
    assert {"SourceSans3-Regular", "SourceSans3-SemiBold"} <= fonts
    assert any(name.startswith("LibertinusSerif") for name in fonts)


def test_a_refusal_of_typst_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr("scalestudy.report.pdf.TEMPLATE", tmp_path)
    (tmp_path / "report.typ").write_text('#panic("broken\nhere")')
    with pytest.raises(StudyError, match="study made_up: Typst could not set the report") as caught:
        compile_report(report_data.single(), [], RUNS, "pdf")
    assert "\n" not in str(caught.value)


def test_without_runs_csv_nothing_is_written(tmp_path):
    with pytest.raises(StudyError, match=r"runs\.csv: cannot be read"):
        write_manuscript(report_data.single(), [], tmp_path / "runs.csv")
    assert list(tmp_path.iterdir()) == []


def test_the_commands_for_reproduction_name_the_configuration_that_described_the_study():
    own = report_data.single()
    for configuration, option, make_option in (
        ("", "", ""),
        ("'my study.yaml'", " --configfile 'my study.yaml'", " CONFIG='my study.yaml'"),
    ):
        text = bare(text_of(make(own.model_copy(update={"configuration": configuration}))))
        assert bare(f"make run STUDY={own.study}{make_option} #") in text
        assert bare(f"snakemake --cores all{option} --config study={own.study} #") in text


def titled(data, workload):
    facts = next(row for row in data.workloads if row.name == workload)
    said = "synthetic" in facts.title.lower() or not facts.data_synthetic
    return facts.title if said else f"{facts.title} (synthetic data)"


def scientific(value):
    if value == 0:
        return "0"
    digits, power = f"{value:.1e}".split("e")
    raised = str(abs(int(power))).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{digits}·10{'⁻' * (int(power) < 0)}{raised}"


def test_every_number_of_the_table_of_parity_is_printed(whole):
    data, text = whole

    def cells(row):
        errors = [scientific(row.gradient_error), scientific(row.parameter_error)]
        return [STRATEGIES[row.strategy].title, layout(row), row.reference, row.shares, row.steps, *errors, "equal"]

    assert_printed(data.parity, cells, text)


def test_every_number_of_the_table_of_targets_is_printed(whole):
    data, text = whole

    def cells(row):
        members = [other for other in data.targets if (other.workload, other.scaling) == (row.workload, row.scaling)]
        batch, target = numbers.fixed(row.global_batch, 0), numbers.fixed(100 * row.target, 1)
        start = [STRATEGIES[row.strategy].title, layout(row), batch, target]
        decimals = numbers.decimals_for(other.time_s for other in members)
        return [
            *start,
            f"{row.reached}/{row.n}",
            numbers.fixed(row.epochs, 1),
            "–" if row.time_s is None else numbers.fixed(row.time_s, decimals),
            numbers.fixed(row.speedup, 2),
            numbers.interval(row.speedup_low, row.speedup_high, 2),
        ]

    assert_printed(data.targets, cells, text)


def test_the_table_of_targets_says_which_cells_have_a_speedup(whole):
    assert bare("speedup over the base where all runs of both reached it, a dash otherwise") in whole[1]


def test_every_number_of_the_comparisons_on_the_most_devices_is_printed(whole):
    data, text = whole
    most = Counter()
    for row in data.comparisons:
        most[row.workload, row.scaling] = max(most[row.workload, row.scaling], row.devices)

    def named(strategy, nodes):
        return STRATEGIES[strategy].title + (f" ({nodes} nodes)" if nodes > 1 else "")

    def cells(row):
        sides = [named(row.strategy, row.nodes), named(row.other_strategy, row.other_nodes)]
        ratio = [numbers.fixed(row.ratio, 2), numbers.interval(row.low, row.high, 2)]
        return [row.devices, *sides, *ratio, f"{row.n}, {row.other_n}", row.verdict]

    shown = [row for row in data.comparisons if row.devices == most[row.workload, row.scaling]]
    assert_printed(shown, cells, text)


def test_every_number_of_the_table_of_ceilings_is_printed(whole):
    data, text = whole
    works = {"training": "serial training", "matmul": "matrix product", "memory": "memory copy"}
    works["host_to_device"] = "copy to device"

    def rate(value, row):
        size, prefix = next(pair for pair in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1, "")) if value >= pair[0])
        written = numbers.significant(value / size) if prefix else numbers.fixed(value, 0)
        return f"{written} {prefix}{'B' if row.unit == 'bytes' else row.unit}"

    def cells(row):
        trained = f", {titled(data, row.workload)} (batch {row.batch_size})" if row.workload else ""
        ratio = [numbers.fixed(row.speedup, 2), numbers.interval(row.speedup_low, row.speedup_high, 2)]
        return [works[row.work] + trained, layout(row), rate(row.alone, row), rate(row.together, row), *ratio]

    assert_printed(data.probe.ceilings, cells, text)


def test_what_is_trained_and_its_protocol_are_printed(whole):
    data, text = whole
    for write in (
        lambda row: numbers.fixed(row.train_images, 0),
        lambda row: numbers.fixed(row.parameters, 0),
        lambda row: f"{numbers.fixed(row.gradient_bytes / 2**20, 1)} MiB",
        lambda row: row.optimizer,
        lambda row: row.precision,
        lambda row: f"{numbers.significant(row.base_time_s)} s",
        lambda row: f"{numbers.significant(row.base_images_per_s)} images/s",
    ):
        assert bare("".join(map(write, data.workloads))) in text  # a line of the table, which has a column for each
    layers = [layer for row in data.workloads for layer in row.layers]

    def layer_cells(layer):
        return [layer.name, layer.kind, "×".join(map(str, layer.output_shape)), numbers.fixed(layer.parameters, 0)]

    assert_printed({bare("".join(map(str, layer_cells(layer)))): layer for layer in layers}.values(), layer_cells, text)

    def protocol(row):
        runs = [run for run in data.runs if run.workload == row.name]
        seeds = ", ".join(str(seed) for seed in sorted({run.seed for run in runs}))
        return [titled(data, row.name), row.batch_size, row.epochs, row.untimed_epochs, seeds, len(runs)]

    assert_printed(data.workloads, protocol, text)


@pytest.fixture(scope="module")
def recorded():
    """A report with lines of both environment tables, every method, and runs that failed, resumed or were left out."""
    data = report_data.single()
    failed = {"outcome": "failed", "resumed": 2, "reason": "RuntimeError: rank 3 of 7 ended with 137"}
    lost = [
        row.model_copy(update=failed | {"run": f"mnist/epoch/ddp-1x2/seed{seed}"})
        for row in data.runs[:1]
        for seed in (7, 8)
    ]
    resumed = data.runs[1].model_copy(update={"resumed": 3})
    environment = [
        EnvironmentRow(item="Memory", value="62.8 GiB (12 runs); 125.6 GiB (3 runs)", part="architecture"),
        EnvironmentRow(item="Network interfaces", value="eth0 10000 Mbit/s", part="architecture"),
        EnvironmentRow(item="Source commit", value="4f2c9e1 (14 runs); 0123456 (1 run)", conflict=True),
        EnvironmentRow(item="scalestudy", value="0.1.0"),
    ]
    exclusions = [
        Exclusion(run=resumed.run, excluded_from="end-to-end speedup", reason="resumed 3 times"),
        Exclusion(run="mnist/epoch/ddp-1x2/seed9", excluded_from="every number", reason="foreign load of 23%"),
        Exclusion(run=lost[0].run, excluded_from="every number", reason="stands among the failures, and not here"),
    ]
    methods = list(METHODS.values())
    changes = {"runs": [*data.runs[:1], resumed, *lost], "environment": environment, "methods": methods}
    data = data.model_copy(update=changes | {"exclusions": exclusions})
    return data, bare(text_of(compile_report(data, [], RUNS, "pdf")))


def test_every_line_of_the_environment_tables_is_printed(recorded):
    data, text = recorded
    conflict = {True: "the records disagree", False: ""}
    for part, start in (("architecture", "Targetarchitecture."), ("provenance", "Source,dataandsettings,")):
        rows = [row for row in data.environment if row.part == part]
        assert_printed(rows, lambda row: [row.item, row.value, conflict[row.conflict]], text[text.index(start) :])


def test_every_method_is_printed_with_its_source(recorded):
    data, text = recorded
    assert len(data.methods) > 8
    assert_printed(data.methods, lambda row: [row.quantity, row.method, row.source], text)


def test_every_failure_and_exclusion_is_printed_once(recorded):
    data, text = recorded
    lost = [row for row in data.runs if row.outcome != "completed" or row.resumed]
    assert len(lost) == 3
    assert_printed(lost, lambda row: [row.run, row.outcome, row.resumed, row.reason], text)
    rows, table = data.exclusions, text[text.index("Runsthatdonotentersomenumber") :]
    assert_printed(rows[:2], lambda row: [row.run, row.excluded_from, row.reason], table)
    assert bare(rows[2].reason) not in text


def test_what_became_of_the_runs_is_printed():
    keys = ("planned", "completed", "failed", "missing", "resumed", "oversubscribed", "loaded", "excluded", "flawed")
    numbered = {key: 100 + place for place, key in enumerate((*keys, "skipped"))}
    data = report_data.single()
    data = data.model_copy(update={"counts": data.counts.model_copy(update=numbered)})
    text = bare(text_of(compile_report(data, [], RUNS, "pdf")))
    assert "".join(map(str, numbered.values())) in text


def test_headlines_compliance_and_published_speedups_are_printed(whole):
    data, text = whole
    for row in data.headlines:
        for part in (row.label, row.value, row.interval, row.detail):
            assert bare(part) in text, row
    assert_printed(data.compliance, lambda row: [row.rule, row.title, row.satisfied, row.evidence], text)

    def published(row):
        setting = row.setting or "setting not recorded here"
        return [
            row.source,
            setting,
            "; ".join(numbers.fixed(value, 2) for value in row.speedups),
            "published elsewhere",
        ]

    assert_printed(data.words.published, published, text)


def test_gradients_of_a_small_model_are_in_kibibytes():
    data = report_data.single()
    small = [row.model_copy(update={"parameters": 4706, "gradient_bytes": 18824}) for row in data.workloads]
    text = bare(text_of(compile_report(data.model_copy(update={"workloads": small}), [], RUNS, "pdf")))
    assert "18.4KiB" in text
    assert "Gradients0.0MiB" not in text


@pytest.mark.parametrize("measured", [True, False])
def test_beside_published_speedups_stands_the_fastest_parallel_cell_though_serial_is_faster(measured):
    data = report_data.single()
    rows = [
        row.model_copy(update={"fastest": row.strategy == "serial"} | ({} if measured else {"speedup": None}))
        for row in data.speedup
    ]
    words = data.words.model_copy(update={"published": report_data.whole().words.published})
    text = bare(text_of(compile_report(data.model_copy(update={"speedup": rows, "words": words}), [], RUNS, "pdf")))
    parallel = [row for row in rows if row.strategy != "serial"]
    groups = {(row.workload, row.scaling) for row in parallel}
    table = text[text.index(bare("Measured here and published elsewhere")) :].partition(
        bare("Accuracy and correctness")
    )[0]
    assert table.count(bare("measured here")) == (len(groups) if measured else 0)
    for group in groups if measured else ():
        row = max((one for one in parallel if (one.workload, one.scaling) == group), key=lambda one: one.speedup)
        line = [STRATEGIES[row.strategy].title, layout(row), numbers.fixed(row.speedup, 2)]
        assert bare("".join(line)) in table
    assert (bare("none of this study") in text) is not measured


def test_every_efficiency_of_the_heat_tables_is_printed(whole):
    data, text = whole
    found = [row for row in data.speedup if row.strategy != "serial"]
    for scaling in dict.fromkeys(row.scaling for row in found):
        rows = [row for row in found if row.scaling == scaling]
        layouts = [at for _, _, at in sorted({(row.devices, row.nodes, layout(row)) for row in rows})]
        for workload, strategy in dict.fromkeys((row.workload, row.strategy) for row in rows):
            there = {layout(row): row for row in rows if (row.workload, row.strategy) == (workload, strategy)}
            line = [numbers.percent(there[at].efficiency) if at in there else "–" for at in layouts]
            assert bare("".join([STRATEGIES[strategy].title, *line])) in text, (scaling, workload, strategy)


def luminance(color):
    """As the guidelines for accessible pages (WCAG 2) compute it, of ``#rrggbb``."""
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(map(operator.mul, (0.2126, 0.7152, 0.0722), linear))


def test_digits_contrast_with_the_cells_of_heat_tables(tmp_path):
    (tmp_path / "runs.csv").write_text(RUNS)
    inputs = write_manuscript(report_data.single(), [], tmp_path / "runs.csv").inputs
    query = b"""#import "tables/common.typ": heat-colors
#metadata(range(101).map(n => heat-colors(n / 100).values().map(color => color.to-hex()))) <out>"""
    found = json.loads(typst.query(query, "<out>", field="value", one=True, root=str(TEMPLATE), sys_inputs=inputs))
    assert len(found) == 101
    for place, colors in enumerate(found):
        dark, light = sorted(map(luminance, colors))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, f"{place}%"


def test_a_cell_that_could_not_be_predicted_unseen_has_its_reason_below_the_table():
    data = report_data.whole()
    row = data.validation[-1].model_copy(
        update={"predicted": None, "low": None, "high": None, "error": None, "reason": "no link was probed"}
    )
    text = bare(text_of(compile_report(data.model_copy(update={"validation": [row]}), [], RUNS, "pdf")))
    assert bare("Larger cells that could not be predicted unseen (strategy, layout), and why:") in text
    assert bare(f"{STRATEGIES[row.strategy].title}, {layout(row)}: no link was probed") in text
    assert bare(f"{row.fitted_devices}{layout(row)}––{numbers.percent(row.measured)}–") in text


def test_an_end_of_an_interval_is_not_printed_as_the_limit_that_it_is_judged_by_unless_it_is():
    data = report_data.whole()
    ends = {"difference_low": -0.010004, "difference_high": 0.01}
    accuracy = [row.model_copy(update=ends) if row.difference is not None else row for row in data.accuracy]
    # A value has the decimals of its interval: with fewer it could lie outside.
    factors = {"ratio": 1.0049, "low": 1.00462, "high": 1.09}
    speedups = {"speedup": 0.9962, "speedup_low": 0.9961, "speedup_high": 0.9964}
    costs = {"cost_s": 4.2e-6, "cost_low_s": 3e-6, "cost_high_s": 8.1e-3}
    changes = {
        "accuracy": accuracy,
        "accuracy_margin": 0.01,
        "comparisons": [row.model_copy(update=factors) for row in data.comparisons],
        "mitigations": [row.model_copy(update=factors) for row in data.mitigations],
        "speedup": [row.model_copy(update=speedups) if row.speedup_low else row for row in data.speedup],
        "targets": [row.model_copy(update=speedups) if row.speedup_low else row for row in data.targets],
        "communication": [row.model_copy(update=costs) if row.cost_s else row for row in data.communication],
        "runs": data.runs[:20],
    }
    pdf = compile_report(data.model_copy(update=changes), [], "run\n", "pdf")
    text = " ".join(" ".join(page.extract_text().split()) for page in pypdf.PdfReader(io.BytesIO(pdf)).pages)
    assert text.count("[−1.0004, +1.0000]") > 10
    assert text.count("1.005 [1.005, 1.090] 5, 5 ") == 6  # comparisons, on the most devices
    assert text.count("1.005 [1.005, 1.090]") == 6 + 8  # and mitigations
    assert text.count("0.996 [0.996, 0.996]") > 20
    assert text.count("0.004 [0.003, 8.100]") > 10
