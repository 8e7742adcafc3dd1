"""Lines of the environment table, from what the runs recorded."""

from synthetic_study import make_study

from scalestudy.analysis.analyze import report_data
from scalestudy.analysis.collect import collect
from scalestudy.records.files import read_model, write_model
from scalestudy.records.result import Result


def rows(folder, **recorded):
    """Of a study whose first run recorded this besides, in English by their names."""
    paths = make_study(folder, workloads=1, strategies={"ddp": ("1x2",)})
    path = paths.run("mnist/epoch/ddp-1x2/seed0").result
    result = read_model(path, Result)
    changed = result.provenance.model_copy(update=recorded)
    write_model(path, result.model_copy(update={"provenance": changed}))
    return {row.key: row for row in report_data(collect(paths.results)).environment}


def test_network_interfaces_stand_with_the_machine_and_may_differ(tmp_path):
    row = rows(tmp_path, network=["eth0 10000 Mbit/s", "ib0 200000 Mbit/s"])["Network interfaces"]
    assert (row.value, row.part, row.conflict) == ("eth0 10000 Mbit/s, ib0 200000 Mbit/s", "architecture", False)
    assert "Network interfaces" not in rows(tmp_path / "unknown")


def test_the_scheduler_is_named_with_its_cluster_and_partition(tmp_path):
    job = {"SLURM_CLUSTER_NAME": "mogon", "SLURM_JOB_PARTITION": "smp", "SLURM_JOB_ID": "17"}
    assert rows(tmp_path, slurm=job)["Scheduler"].value == "SLURM, mogon, smp"
