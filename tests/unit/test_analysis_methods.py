"""Every interval that a report prints names its method, the report's table has it, and rule 10 counts them all."""

import re

import pytest
from synthetic_study import make_study
from test_analysis_probe import all_reduce, probe, training

from scalestudy.analysis.analyze import report_data
from scalestudy.analysis.collect import collect
from scalestudy.analysis.compliance import compliance_rows
from scalestudy.analysis.methods import METHODS, methods_used, printed_intervals
from scalestudy.analysis.statistics import BOOTSTRAP_MEDIANS, LOG_T, ORDER_STATISTICS, WELCH_LOG
from scalestudy.analysis.tables import TABLES
from scalestudy.records.files import write_model

NOT_COUNTED = ("alone_low", "together_low", "alpha_low_s", "beta_low_s_per_byte", "difference_low", "ceiling_low")
"""In CSV files alone; the last two are those of the rows of equivalence and of the probe again."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A study with every kind of interval."""
    paths = make_study(
        tmp_path_factory.mktemp("methods"),
        workloads=1,
        strategies={"ddp": ("1x2", "1x4", "2x4"), "ddp_fp16": ("1x2",), "hsdp": ("1x4",)},
        options={"ddp_fp16": ("ddp", {"compression": "fp16"})},
        costs_s={"ddp": 0.002},
        seeds=range(6),
    )
    reduces = all_reduce(1e-4, 1e-9, (0.99, 1.0, 1.02))
    write_model(paths.probe("1x2"), probe([training(1.0, 1.25)], reduces))
    between = probe([], [sample.model_copy(update={"group": "nodes"}) for sample in reduces])
    write_model(paths.probe("2x4"), between.model_copy(update={"nodes": 2, "devices_per_node": 4}))
    return report_data(collect(paths.results))


def lows(row):
    found = {name: value for name, value in row.model_dump().items() if re.search(r"(^|_)low(_|$)", name)}
    return [value for name, value in found.items() if name not in NOT_COUNTED and value is not None]


def test_every_interval_of_the_tables_is_counted(data):
    by_table = {name: sum(len(lows(row)) for row in rows(data)) for name, (_, rows) in TABLES.items()}
    by_table["speedup"] = sum(len(lows(row)) for row in data.speedup)
    by_table["prediction"] = sum(len(curve.low) for curve in data.predictions)
    assert {name for name, count in by_table.items() if count} >= {
        "speedup", "phases", "communication", "probe", "allreduce", "comparison", "mitigations", "equivalence",
        "target", "epochs_to_target", "fits", "prediction",
    }  # fmt: skip
    assert len(printed_intervals(data)) == sum(by_table.values())


def test_all_of_them_name_a_method_of_the_report(data):
    assert {method.quantity for method in data.methods} == {METHODS[name].quantity for name in printed_intervals(data)}
    number = len(printed_intervals(data))
    assert data.compliance[9].satisfied == "yes"
    assert data.compliance[9].evidence.startswith(f"{number} of {number} intervals name their method;")


@pytest.mark.parametrize(
    ("table", "field"),
    [
        *(("speedup", f"{name}_method") for name in ("time", "mean", "speedup", "end_to_end")),
        *((name, "method") for name in ("communication", "comparisons", "mitigations", "equivalence", "targets")),
        *(("phases", "price_method"), ("targets", "speedup_method"), ("epochs_to_target", "method")),
        *(("ceilings", "method"), ("all_reduce", "method")),
    ],
)
def test_an_interval_without_a_method_breaks_rule_10(data, table, field):
    of_probe = hasattr(data.probe, table)
    rows = [row.model_copy(update={field: ""}) for row in getattr(data.probe if of_probe else data, table)]
    probe = data.probe.model_copy(update={table: rows}) if of_probe else data.probe
    nameless = data.model_copy(update={"probe": probe} if of_probe else {table: rows})
    assert compliance_rows(nameless, [])[9].satisfied == "no"


def test_the_methods_of_the_probe_are_named_where_no_run_used_them(data):
    probed = data.model_copy(
        update={table: [] for table in ("speedup", "phases", "communication", "comparisons", "mitigations", "targets")}
        | {"epochs_to_target": [], "equivalence": [], "fits": [], "validation": [], "predictions": []}
    )
    assert methods_used(probed) == [METHODS[LOG_T], METHODS[WELCH_LOG]]  # 3 times of a message, 5 rates of a ceiling
    for name in (LOG_T, ORDER_STATISTICS):
        assert "time of an all-reduce" in METHODS[name].quantity
    for name in (WELCH_LOG, BOOTSTRAP_MEDIANS):
        assert "ceiling" in METHODS[name].quantity
