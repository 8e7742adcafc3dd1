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


def test_what_carried_the_gradients_is_told_apart_from_the_process_group(tmp_path):
    ran = {"ddp": "DistributedDataParallel (shared_memory)", "hybrid": "threads, all-reduce (gloo) between nodes"}
    layouts = {"data_parallel": ("1x2",), "ddp": ("1x2",), "hybrid": ("2x1",)}
    paths = make_study(tmp_path, workloads=1, strategies=layouts, ran=ran)
    found = {row.key: row.value for row in report_data(collect(paths.results)).environment}
    assert found["Gradients between processes"] == "shared memory (3 runs); gloo (3 runs)"
    assert found["Process group"] == "gloo"


def test_no_gradients_between_processes_are_named_where_one_has_all_devices(tmp_path):
    paths = make_study(tmp_path, workloads=1, strategies={"data_parallel": ("1x2",)})
    keys = {row.key for row in report_data(collect(paths.results)).environment}
    assert "Gradients between processes" not in keys
    assert "Processor" in keys


def test_the_scheduler_is_named_with_its_cluster_and_partition(tmp_path):
    job = {"SLURM_CLUSTER_NAME": "mogon", "SLURM_JOB_PARTITION": "smp", "SLURM_JOB_ID": "17"}
    assert rows(tmp_path, slurm=job)["Scheduler"].value == "SLURM, mogon, smp"


def test_workloads_of_the_same_network_and_data_have_titles_of_their_own(tmp_path):
    paths = make_study(tmp_path, workloads=3, strategies={"ddp": ("1x2",)})
    titles = {facts.name: facts.title for facts in report_data(collect(paths.results)).workloads}
    assert titles["mnist"] == "MNIST CNN (Fashion-MNIST, subset), mnist"
    assert titles["mnist2"] == "MNIST CNN (Fashion-MNIST, subset), mnist2"
    assert titles["cifar"] == "CIFAR CNN (synthetic data)"
