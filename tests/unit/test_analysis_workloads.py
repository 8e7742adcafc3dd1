"""What the report says of workloads and strategies."""

import pytest
from synthetic_study import make_study

from scalestudy.analysis.cells import cells_of
from scalestudy.analysis.collect import collect
from scalestudy.analysis.language import ENGLISH, GERMAN
from scalestudy.analysis.workloads import strategy_rows, workload_facts
from scalestudy.records.files import read_model, write_model
from scalestudy.spec.catalog import STRATEGIES
from scalestudy.spec.run import Study
from scalestudy.spec.workload import DataSpec


def test_no_run_on_cpus_is_called_by_the_name_of_what_does_nothing_there(tmp_path):
    paths = make_study(tmp_path, workloads=1, strategies={"data_parallel": ("1x2",), "ddp": ("1x2",)})
    cells = cells_of(collect(paths.results))
    assert [row.title for row in strategy_rows(cells, ENGLISH)] == ["Serial", "DataParallel twin", "DDP"]
    assert strategy_rows(cells, GERMAN)[1].title == "DataParallel-Zwilling"
    assert STRATEGIES["data_parallel"].title_on("cuda") == "DataParallel"


def facts_of(folder, **changes):
    """Of the workload of a study that is planned with these changes."""
    paths = make_study(folder, workloads=1, strategies={"ddp": ("1x2",)})
    plan = read_model(paths.study, Study)
    workload = plan.runs[0].workload.model_copy(update=changes)
    runs = [run.model_copy(update={"workload": workload}) for run in plan.runs]
    write_model(paths.study, plan.model_copy(update={"runs": runs}))
    (facts,) = workload_facts(cells_of(collect(paths.results)), ENGLISH)
    return facts


@pytest.mark.parametrize(
    ("data", "images"),
    [
        (DataSpec(name="cifar10"), 10_000),
        (DataSpec(name="cifar10", test=500), 500),
        (DataSpec(name="synthetic", options={"test": 64}), 64),
        (DataSpec(name="my.module:Data", options={"test": "held out.csv"}), 0),
        (DataSpec(name="my.module:Data", test=7), 7),
    ],
)
def test_the_test_images_are_those_of_the_plan_as_far_as_it_tells(data, images, tmp_path):
    facts = facts_of(tmp_path, data=data)
    assert facts.test_images == images


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("none", "the same for every batch"),
        ("linear", "growing with the batch"),
        ("sqrt", "growing with the square root of the batch"),
    ],
)
def test_how_the_learning_rate_follows_the_batch_stands_beside_it(rule, said, tmp_path):
    facts = facts_of(tmp_path, lr_scaling=rule)
    assert facts.optimizer.startswith(f"Adam, learning rate 0.01, {said}")
