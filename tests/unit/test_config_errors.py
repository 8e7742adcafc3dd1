"""Each wrong configuration gives lines that name the key, what was found and what would be right."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from scalestudy.errors import StudyError
from scalestudy.spec.expand import expand
from scalestudy.spec.layouts import Machine
from scalestudy.spec.reading import check, load_config

MACHINE = Machine(device="cpu", devices=4, cores=4)
DROP = object()

GOOD: dict[str, Any] = {
    "study": "quick",
    "machine": {"device": "cpu", "devices_per_node": 4},
    "workloads": {
        "mnist": {
            "data": {"name": "mnist"},
            "model": {"name": "mnist_cnn"},
            "optimizer": {"name": "adam", "lr": 0.01},
            "epochs": 10,
            "weak_samples": 6000,
        },
        "made_up": {
            "data": {"name": "synthetic", "options": {"shape": [3, 32, 32], "train": 640}},
            "model": {"name": "cifar_cnn"},
            "optimizer": {"name": "sgd", "lr": 0.01, "momentum": 0.9},
            "epochs": 3,
        },
    },
    "studies": {
        "quick": {
            "workloads": ["mnist", "made_up"],
            "strategies": ["serial", {"name": "ddp", "layouts": ["1x2", "auto"]}, "data_parallel"],
            "seeds": [1, 2],
        },
        "other": {"workloads": ["mnist"], "strategies": ["serial"], "seeds": [1]},
    },
}


def changed(key: str, value: Any) -> dict[str, Any]:
    """The good configuration with one key (``a.b.0.c``) set or dropped."""
    data = copy.deepcopy(GOOD)
    *path, last = (int(part) if part.isdecimal() else part for part in key.split("."))
    place: Any = data
    for part in path:
        place = place[part] if isinstance(place, list) else place.setdefault(part, {})
    if value is DROP:
        del place[last]
    elif isinstance(place, list) and last == len(place):
        place.append(value)
    else:
        place[last] = value
    return data


def lines_of(data: Any, machine: Machine = MACHINE) -> list[str]:
    """What the user sees for this configuration, read from a file's text and planned."""
    with pytest.raises(StudyError) as caught:
        expand(check(data, "config.yaml"), machine)
    return str(caught.value).splitlines()


M, Q = "workloads.mnist", "studies.quick"
HOSTILE_LABELS = (
    *("../../ddp", "a/b", "ddp-1x2", "a b", "", "1st", "_a", "a" * 61, "ä", "a\n", "\x00", "{wildcards.run}"),
    *("$(reboot)", "`x`", "#eval(1)", "**a**", "{{ 7*7 }}", "=SUM(A1)", "*", "|a|", "'; true; '"),
)
WRONG = [
    ("misspelled key at the top", "studys", {}, ["studys: unknown key", "did you mean 'study", "?"]),
    ("misspelled key", f"{M}.modle", {}, [f"{M}.modle: unknown key; did you mean 'model'?"]),
    ("misspelled key of the machine", "machine.devices", 4, ["machine.devices: unknown key", "'device"]),
    ("key that resembles nothing", f"{M}.zzz", 1, [f"{M}.zzz: unknown key; must be one of title, data, model"]),
    ("misspelled key of a strategy", f"{Q}.strategies.1.layout", [], ["[item 2].layout: unknown", "'layouts'?"]),
    ("misspelled engine", "container.engine", "aptainer", ['container.engine: found "aptainer"', "mean 'apptainer'?"]),
    (
        "digest that is none",
        "container.digest",
        "sha256:12",
        ['container.digest: found "sha256:12"; must be sha256: and 64'],
    ),
    (
        "digest of what is built here",
        "container.digest",
        f"sha256:{64 * 'a'}",
        ["without container.image; must be left"],
    ),
    ("bind to a relative target", "container.bind", ["/a:b"], ['container.bind[item 1]: found "/a:b"; must be SOURCE']),
    ("bind as text", "container.bind", "/a", ['container.bind: found "/a" (text); must be a list']),
    (
        "a variable with its value",
        "container.environment",
        ["A=1"],
        ['found "A=1"; must be the name of an environment'],
    ),
    (
        "builder that the engine cannot use",
        "container",
        {"engine": "docker", "builder": "apptainer"},
        ["container.builder: found apptainer for the engine docker; must be one of auto", "docker runs no SIF"],
    ),
    (
        "SIF for an engine that runs none",
        "container",
        {"engine": "podman", "image": "x.sif"},
        ['container.image: found "x.sif"; must be an address or a docker archive (.tar), since podman runs no SIF'],
    ),
    ("missing epochs", f"{M}.epochs", DROP, [f"{M}.epochs: missing; must be given: Passes over the training images"]),
    ("missing learning rate", f"{M}.optimizer.lr", DROP, [f"{M}.optimizer.lr: missing", "Learning rate"]),
    ("missing workloads", "workloads", DROP, ["workloads: missing; must be given: What can be trained"]),
    ("zero epochs", f"{M}.epochs", 0, [f"{M}.epochs: found 0; must be at least 1"]),
    ("epochs in words", f"{M}.epochs", "ten", [f'{M}.epochs: found "ten" (text); must be a whole number']),
    ("half an epoch", f"{M}.epochs", 2.5, [f"{M}.epochs: found 2.5; must be a whole number"]),
    ("epochs true", f"{M}.epochs", True, [f"{M}.epochs: found true; must be a whole number"]),
    ("epochs nothing", f"{M}.epochs", None, [f"{M}.epochs: found nothing; must be a whole number"]),
    ("learning rate as text", f"{M}.optimizer.lr", "fast", ['found "fast" (text); must be a number']),
    ("learning rate true", f"{M}.optimizer.lr", True, ["optimizer.lr: found true; must be a number"]),
    ("negative learning rate", f"{M}.optimizer.lr", -0.1, ["lr: found -0.1; must be greater than 0"]),
    ("infinite learning rate", f"{M}.optimizer.lr", float("inf"), ["lr: found inf; must be a finite number"]),
    ("learning rate nan", f"{M}.optimizer.lr", float("nan"), ["lr: found nan; must be a finite number"]),
    ("momentum of one", "workloads.made_up.optimizer.momentum", 1.0, ["momentum: found 1; must be less than 1"]),
    ("momentum with adam", f"{M}.optimizer.momentum", 0.9, ["momentum: found 0.9 with adam", "belongs to sgd"]),
    ("unknown optimizer", f"{M}.optimizer.name", "adamw", ['found "adamw"; must be one of adam, sgd', "'adam'?"]),
    ("unknown augmentation", f"{M}.data.augment", "crop", ["must be one of none, crop_flip", "'crop_flip'?"]),
    ("yes in place of true", f"{M}.compile", "yes", ['compile: found "yes" (text); must be true or false']),
    ("a device of the cluster", "cluster.device", "gpu", ['cluster.device: found "gpu"', "must be one of cpu, cuda"]),
    ("one in place of true", "machine.oversubscribe", 1, ["machine.oversubscribe: found 1; must be true or false"]),
    ("number as a title", f"{M}.title", 2024, [f"{M}.title: found 2024; must be text, put it in quotes"]),
    ("list as a workload", M, [1], [f"{M}: found a list; must be a mapping with the keys title, data, model"]),
    ("text as workloads", "workloads", "mnist", ['workloads: found "mnist" (text); must be a mapping of names']),
    ("number as seeds", f"{Q}.seeds", 3, [f"{Q}.seeds: found 3; must be a list, such as [a, b]"]),
    ("no seeds", f"{Q}.seeds", [], [f"{Q}.seeds: found no seed; must have at least one, such as [1, 2, 3]"]),
    ("neither seeds nor repeats", f"{Q}.seeds", DROP, [f"{Q}.seeds: found no seed", "or repeats in its place"]),
    ("seeds and repeats", f"{Q}.repeats", {}, [f"{Q}.repeats: found together with seeds; must be given alone"]),
    ("no strategies: expands to no run", f"{Q}.strategies", [], [f"{Q}.strategies: found an empty list"]),
    ("no workloads at all", "workloads", {}, ["workloads: found nothing in it; must have at least 1 entry"]),
    ("negative seed", f"{Q}.seeds.1", -1, [f"{Q}.seeds[item 2]: found -1; must be at least 0"]),
    ("huge seed", f"{Q}.seeds.1", 2**40, ["seeds[item 2]: found", "must be at most 4294967295"]),
    ("seed twice", f"{Q}.seeds", [1, 2, 1], [f"{Q}.seeds[item 3]: found 1 a second time; must be listed once"]),
    ("workload twice", f"{Q}.workloads.1", "mnist", ["workloads[item 2]: found mnist a second time"]),
    ("scaling twice", f"{Q}.scalings", ["epoch", "epoch"], ["scalings[item 2]: found epoch a second time"]),
    ("strategy twice", f"{Q}.strategies.2", "ddp", ["strategies[item 3]: found ddp a second time", "one entry"]),
    (
        "strategy twice without the way out",
        f"{Q}.strategies.1",
        "data_parallel",
        ["strategies[item 3]: found data_parallel a second time", "with all its layouts in one entry"],
    ),
    (
        "strategy with options twice",
        f"{Q}.strategies.2",
        {"name": "ddp", "options": {"compression": "fp16"}},
        ["strategies[item 3]: found ddp a second time", "in one entry, or have a label and other options"],
    ),
    ("base twice", f"{Q}.strategies.2", "serial", ["strategies[item 3]: found serial a second time; must be listed"]),
    (
        "label of the base",
        f"{Q}.strategies.3",
        {"name": "serial", "label": "plain", "options": {"cuda_graph": False}},
        ["strategies[item 4].label: found plain for serial; must be left out"],
    ),
    (
        "label that is a strategy's name",
        f"{Q}.strategies.3",
        {"name": "ddp", "label": "hsdp", "options": {"compression": "fp16"}},
        ["strategies[item 4].label: found hsdp, the name of a strategy; must be another name"],
    ),
    (
        "label twice",
        f"{Q}.strategies",
        ["serial", *({"name": "ddp", "label": "a", "options": {"bucket_mb": size}} for size in (1, 2))],
        ["strategies[item 3].label: found a a second time; must be another name"],
    ),
    (
        "label without other options",
        f"{Q}.strategies.3",
        {"name": "ddp", "label": "again", "options": {"compression": "none", "bucket_mb": None}},
        ["strategies[item 4].options: found the same options a second time; must differ in an option from every other"],
    ),
    *(
        (
            f"label {label!r}",
            f"{Q}.strategies.3",
            {"name": "ddp", "label": label, "options": {"compression": "fp16"}},
            ["strategies[item 4].label: found", "a name must start with a letter and hold only letters, digits and _"],
        )
        for label in HOSTILE_LABELS
    ),
    ("label as a number", f"{Q}.strategies.1.label", 16, ["[item 2].label: found 16; must be text"]),
    ("layout twice", f"{Q}.strategies.1.layouts", ["1x2", "1x2"], ["layouts[item 2]: found 1x2 a second time"]),
    ("unknown scaling", f"{Q}.scalings", ["strng"], ["scalings[item 1]", '"strng"', "'strong'?"]),
    ("margin above one", f"{Q}.accuracy_margin", 5, ["accuracy_margin: found 5; must be less than 1"]),
    ("unknown study", "study", "quik", ["study: found \"quik\", no study of that name; did you mean 'quick'?"]),
    ("study names no workload", f"{Q}.workloads.0", "minst", ["workloads[item 1]", '"minst"', "'mnist'?"]),
    ("unknown strategy", f"{Q}.strategies.2", "dpp", ['found "dpp", no strategy', "did you mean 'ddp'?", "hsdp"]),
    ("unknown strategy entry", f"{Q}.strategies.1.name", "fsdp", ["[item 2].name", "'hsdp'?"]),
    ("strategy is a number", f"{Q}.strategies.1", 7, ["strategies[item 2]: found 7; must be text"]),
    ("unknown model", f"{M}.model.name", "mnist_cn", ['"mnist_cn", no model', "'mnist_cnn'?", "import path"]),
    ("unknown data set", f"{M}.data.name", "cifar", ['found "cifar", no data set of that name', "cifar10"]),
    ("no name of a model", f"{M}.model.name", "", ["model.name: found empty text; must be given"]),
    ("import path without a name", f"{M}.model.name", "my.module", ["must be an import path such as"]),
    ("import path to no module", f"{M}.model.name", "no_such_pkg.a:B", ["there is no module no_such_pkg,"]),
    ("import path to no submodule", f"{M}.model.name", "json.nothing:B", ["there is no module json.nothing"]),
    ("import path to no name", f"{M}.data.name", "json.decoder:JSONDecodr", ["has no JSONDecodr", "'JSONDecoder'?"]),
    (
        "option of a model that has none",
        f"{M}.model.options",
        {"depth": 3},
        ["depth: unknown key", "no options"],
    ),
    ("unknown option of ddp", f"{Q}.strategies.1.options", {"bucket": 1}, ["options.bucket: unknown", "'bucket_mb'?"]),
    (
        "bucket of nothing",
        f"{Q}.strategies.1.options",
        {"bucket_mb": 0},
        ["found 0; must be greater than 0"],
    ),
    ("static_graph as text", f"{Q}.strategies.1.options", {"static_graph": "no"}, ["must be true or false"]),
    (
        "unknown communication",
        f"{Q}.strategies.1.options",
        {"communication": "mpi"},
        ["gloo, nccl, shared_memory"],
    ),
    (
        "nccl on a CPU",
        f"{Q}.strategies.1.options",
        {"communication": "nccl"},
        ["options.communication", "gloo"],
    ),
    ("unknown compression", f"{Q}.strategies.1.options", {"compression": "zip"}, ["none, fp16, bf16, powersgd"]),
    ("shape of two numbers", "workloads.made_up.data.options.shape", [3, 32], ["shape: found 2; must have at least 3"]),
    (
        "option of a data set that has none",
        f"{M}.data.options",
        {"train": 9},
        ["mnist has no options"],
    ),
    ("no base", f"{Q}.strategies", ["ddp"], [f"{Q}.strategies: found no serial; must name it"]),
    ("weak scaling without samples", f"{Q}.scalings", ["weak"], ["made_up.weak_samples: missing", "study quick"]),
    ("more images than there are", f"{M}.data.train", 70_000, ["data.train: found 70000; must be at most 60000"]),
    ("more test images than there are", f"{M}.data.test", 10_001, ["must be at most 10000, the test images of mnist"]),
    ("more than the made-up images", "workloads.made_up.data.train", 641, ["found 641; must be at most 640"]),
    ("batch of no images", f"{M}.batch_size", 0, ["batch_size: found 0; must be at least 1"]),
    ("batch larger than the data", f"{M}.batch_size", 60_001, ["found 60001; must be at most 60000"]),
    (
        "batches larger than the data",
        "workloads.made_up.batch_size",
        320,
        ["must be at most 160 for ddp on 4"],
    ),
    ("more parts than images in a batch", f"{M}.accumulate", 65, ["accumulate: found 65; must be at most batch_size"]),
    ("nothing left to time", f"{M}.untimed_epochs", 10, ["untimed_epochs: found 10; must be less than epochs (10)"]),
    ("the default leaves none to time", f"{M}.epochs", 1, ["untimed_epochs: found 1 (the default); must be less than"]),
    ("warm-up longer than training", f"{M}.warmup_epochs", 10.5, ["found 10.5; must be at most epochs (10)"]),
    ("synchronized batch norm on a CPU", "workloads.made_up.sync_batch_norm", True, ["sync_batch_norm: found true"]),
    (
        "synchronized batch norm with one process",
        f"{M}.sync_batch_norm",
        True,
        ["sync_batch_norm: found true in study quick", "data_parallel"],
    ),
    (
        "compression without messages",
        f"{Q}.strategies.1.options",
        {"communication": "shared_memory", "compression": "fp16"},
        ["found shared_memory with compression", "auto or gloo"],
    ),
    (
        "serial on two devices",
        f"{Q}.strategies.0",
        {"name": "serial", "layouts": ["1x2"]},
        ["1x1 or auto"],
    ),
    ("data_parallel on two nodes", f"{Q}.strategies.2", {"name": "data_parallel", "layouts": ["2x2"]}, ["one node"]),
    ("ddp on one device", f"{Q}.strategies.1.layouts.0", "1x1", ["must not be 1x1: one device alone is serial"]),
    ("layout in words", f"{Q}.strategies.1.layouts.0", "two", ['"two"; must be nodes x devices per node such as 2x4']),
    ("layout of nothing", f"{Q}.strategies.1.layouts.0", "0x4", ['found "0x4"; must be nodes x devices per node']),
    (
        "layout beyond the machine",
        f"{Q}.strategies.1.layouts.0",
        "2x4",
        ["found 2x4, 8 devices; must be at most 4"],
    ),
    (
        "devices that do not exist",
        "machine.devices_per_node",
        64,
        ["found 64", "at most 4 CPU devices"],
    ),
    (
        "nodes that do not exist",
        "machine",
        {"device": "cpu", "nodes": 8},
        ["machine.nodes: found 8", "must be at most 4 CPU devices"],
    ),
    ("devices in words", "machine.devices_per_node", "all", ['"all" (text); must be a whole number or auto']),
    ("devices as half a number", "machine.devices_per_node", 1.5, ["found 1.5; must be a whole number"]),
    ("no devices", "machine.devices_per_node", 0, ["devices_per_node: found 0; must be at least 1"]),
    ("unknown device", "machine.device", "gpu", ['device: found "gpu"; must be one of auto, cpu, cuda', "'cuda'?"]),
    ("path as a workload's name", "workloads.a/b", GOOD["workloads"]["mnist"], ["this name cannot be used"]),
    ("path as a study's name", "studies.a b", GOOD["studies"]["other"], ["name must start with a letter"]),
    ("one author as text", "report.authors", "Ada", ['authors: found "Ada" (text); must be a list']),
    ("folder of nothing", "data.folder", "", ["data.folder: found empty text; must be given"]),
]


def test_the_configuration_that_the_others_are_made_from_is_right():
    assert len(expand(check(GOOD, "config.yaml"), MACHINE).runs) == 16


@pytest.mark.parametrize(("key", "value", "words"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_mistake_gives_one_line_that_says_where_what_and_what_would_be_right(key, value, words):
    (line,) = lines_of(changed(key, value))
    assert line.startswith("config.yaml: ")
    assert [word for word in words if word not in line] == []
    assert [word for word in ("pydantic", "Traceback", "http", "None", "<") if word in line] == []


def test_batch_smaller_than_the_devices_under_strong_scaling():
    data = changed("workloads.mnist.batch_size", 3)
    data["studies"]["quick"] |= {"scalings": ["strong"], "workloads": ["mnist"]}
    lines = lines_of(data)
    assert lines[0] == (
        "config.yaml: workloads.mnist.batch_size: found 3; "
        "must be at least 4, one image per device for ddp on 4 devices under strong scaling"
    )


def test_more_parts_than_the_smallest_share_holds():
    data = changed("workloads.mnist.accumulate", 17)
    data["studies"]["quick"] |= {"scalings": ["strong"], "workloads": ["mnist"]}
    assert "accumulate: found 17; must be at most 16, the smallest share" in lines_of(data)[0]


def test_weak_samples_beyond_the_data_set():
    data = changed("workloads.mnist.weak_samples", 20_000)
    data["studies"]["quick"] |= {"scalings": ["weak"], "workloads": ["mnist"]}
    assert "weak_samples: found 20000; must be at most 15000" in lines_of(data)[0]


def test_a_misspelled_key_that_is_needed_is_not_reported_as_missing_too():
    data = changed("workloads.mnist.modle", {"name": "mnist_cnn"})
    del data["workloads"]["mnist"]["model"]
    assert lines_of(data) == ["config.yaml: workloads.mnist.modle: unknown key; did you mean 'model'?"]


def test_synchronized_batch_norm_is_for_gpus():
    data = changed("workloads.made_up.sync_batch_norm", True)
    data["studies"]["quick"]["strategies"] = ["serial", "ddp"]
    assert lines_of(data) == [
        "config.yaml: workloads.made_up.sync_batch_norm: "
        "found true on CPU devices; must be false, torch has it for GPUs"
    ]
    assert expand(check(data, "config.yaml"), Machine(device="cuda", devices=4, cores=8)).runs


GPUS = Machine(device="cuda", devices=4, cores=8)


def test_synchronized_batch_norm_is_refused_where_its_statistics_would_not_be_those_of_the_batch():
    data = changed("workloads.made_up.sync_batch_norm", True)
    data["studies"]["quick"]["strategies"] = ["serial", "ddp"]
    data["workloads"]["made_up"]["accumulate"] = 2
    assert lines_of(data, GPUS) == [
        "config.yaml: workloads.made_up.accumulate: "
        "found 2; must be 1 with sync_batch_norm, whose statistics are those of a whole batch"
    ]
    data["workloads"]["made_up"] |= {"accumulate": 1, "batch_size": 63}  # 640 = 10 * 63 + 10, and 2 * 252 + 136
    assert expand(check(data, "config.yaml"), GPUS).runs
    data["workloads"]["made_up"] |= {"batch_size": 53}  # 640 = 3 * 212 + 4: one image for each of four GPUs
    assert expand(check(data, "config.yaml"), GPUS).runs
    data["workloads"]["made_up"]["data"]["train"] = 639
    assert lines_of(data, GPUS) == [
        "config.yaml: workloads.made_up.batch_size: found 53, so that the last of 639 images make a batch of 3; "
        "must leave none or at least 4, one per device, with sync_batch_norm for ddp on 4 devices under epoch scaling"
    ]


def test_a_compiled_model_is_refused_where_nn_data_parallel_would_copy_it():
    data = changed("workloads.mnist.compile", True)
    (line,) = lines_of(data, GPUS)
    assert line == (
        "config.yaml: workloads.mnist.compile: found true; must be false, or the study without data_parallel on 4 "
        "devices under epoch scaling: nn.DataParallel cannot copy a compiled model"
    )
    data["studies"]["quick"]["strategies"] = ["serial", "ddp", {"name": "hybrid", "layouts": ["2x1"]}]
    assert expand(check(data, "config.yaml"), GPUS).runs
    data["studies"]["quick"]["strategies"] = ["serial", "data_parallel"]
    assert expand(check(data, "config.yaml"), MACHINE).runs


def test_several_mistakes_each_have_their_line():
    data = changed("workloads.mnist.epochs", 0)
    data["studies"]["quick"]["seeds"] = ["one"]
    data["machin"] = {}
    assert len(lines_of(data)) == 3


def test_shared_memory_is_for_cpu_devices():
    data = changed("studies.quick.strategies.1.options", {"communication": "shared_memory"})
    (line,) = lines_of(data, Machine(device="cuda", devices=4, cores=8))
    assert "found shared_memory on GPUs; must be auto or nccl" in line


def test_the_graph_of_accumulated_passes_is_not_static():
    data = changed("studies.quick.strategies.1.options", {"static_graph": True})
    data["workloads"]["mnist"]["accumulate"] = 2
    assert set(lines_of(data, MACHINE)) == {
        "config.yaml: studies.quick.strategies[item 2].options.static_graph: found true with "
        "workloads.mnist.accumulate 2; must be false or left out: torch cannot plan ahead for accumulated passes"
    }


TEXTS = [
    ("empty", b"", ["is empty; must hold at least the keys workloads and studies"]),
    ("only comments", b"# nothing\n", ["is empty"]),
    ("a list", b"- a\n- b\n", ["found a list; must be a mapping"]),
    ("a word", b"quick", ['found "quick" (text); must be a mapping']),
    ("not UTF-8", b"study: quick\nreport: {title: \xff}\n", ["line 2: is not UTF-8 text; save the file as UTF-8"]),
    ("a tab", b"machine:\n\tnodes: 1\n", ["line 2: a tab where only spaces may stand"]),
    ("a key twice", b"study: a\nmachine: {}\nstudy: b\n", ['line 3: the key "study" stands here and in line 1']),
    (
        "a key twice, deeper",
        b"machine:\n  nodes: 1\n  nodes: 2\n",
        ['line 3: the key "nodes" stands here'],
    ),
    ("an open bracket", b"study: [a\nmachine: 1\n", ["line 2: "]),
    ("a colon too many", b"study: a: b\n", ["line 1: a colon where none may stand"]),
    ("an object", b"study: !!python/object/apply:os.getcwd []\n", ["line 1: a tag (!...) that is not known here"]),
    ("two documents", b"study: a\n---\nstudy: b\n", ["keep one"]),
    ("an alias without its anchor", b"study: *quick\n", ["line 1: an alias (*name) without its anchor"]),
    ("data that holds itself", b"workloads: &a\n  b: *a\n", ["nested too deeply or refers to itself"]),
    ("nested without end", b"[" * 1500, ["config.yaml: "]),
    ("a bell", b"study: \x07\n", ["line 1: holds a character that YAML does not allow"]),
    ("half a character", b'study: "\\ud800"\n', ["must be Unicode without lone surrogates"]),
    ("a number as a key", b"1: quick\n", ["found the key 1; a key must be a name"]),
    ("a list as a key", b"? [a]\n: b\n", ["a list or mapping as a key"]),
]


@pytest.mark.parametrize(("content", "words"), [case[1:] for case in TEXTS], ids=[case[0] for case in TEXTS])
def test_a_file_that_is_no_configuration_gives_one_line(content, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_bytes(content)
    with pytest.raises(StudyError) as caught:
        load_config(Path("config.yaml"))
    (line,) = str(caught.value).splitlines()
    assert line.startswith("config.yaml: ")
    assert [word for word in words if word not in line] == []


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(StudyError, match="there is no such file"):
        load_config(tmp_path / "none.yaml")
    with pytest.raises(StudyError, match="is a folder"):
        load_config(tmp_path)


KEYS = st.sampled_from(
    ["study", "workloads", "studies", "mnist", "quick", "data", "name", "seeds", "layouts", "options"]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["auto", "1x2", "mnist", "ddp", "a.b:C", "json:loads", "1x999999", 10**30, -0.0])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def places(data: Any, path: tuple = ()) -> list[tuple]:
    """Every place in the data, as a path."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(place for key, value in items for place in places(value, (*path, key)))]


PLACES = [place for place in places(GOOD) if place]


def put(data: Any, path: tuple, value: Any) -> None:
    """Set a value where the path still leads somewhere after earlier changes."""
    *parents, last = path
    try:
        for part in parents:
            data = data[part]
        data[last] = value
    except (LookupError, TypeError):
        return


@settings(max_examples=200)
@given(st.lists(st.tuples(st.sampled_from(PLACES), st.none() | KEYS, VALUES), min_size=1, max_size=3))
def test_no_change_of_a_good_configuration_raises_anything_but_a_study_error(changes):
    data = copy.deepcopy(GOOD)
    for path, extra, value in changes:
        put(data, path if extra is None else (*path[:-1], extra), value)
    try:
        study = expand(check(data, "config.yaml"), MACHINE)
    except StudyError as error:
        message = str(error)
    else:
        message = "config.yaml: "
        assert study.runs[0].digest
        assert study.model_dump_json()
    assert all(line.startswith("config.yaml: ") for line in message.splitlines())
    assert "pydantic" not in message


@settings(max_examples=200)
@given(st.text(max_size=60) | st.text(alphabet="ab:-[]{}&*!|>'\"#%@, \n\t1.e<~", max_size=40), st.integers(0, 900))
def test_no_text_raises_anything_but_a_study_error(tmp_path_factory, insert, at):
    text = yaml.safe_dump(GOOD)
    path = tmp_path_factory.mktemp("config") / "config.yaml"
    path.write_bytes((text[:at] + insert + text[at:]).encode("utf-8", "surrogatepass"))
    message = str(path)
    try:
        load_config(path)
    except StudyError as error:
        message = str(error)
    assert all(line.startswith(str(path)) for line in message.splitlines())


def test_values_given_on_the_command_line_lie_over_the_file_and_are_named_as_such(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(GOOD), encoding="utf-8")
    found = load_config(path, {"study": "other", "machine": {"nodes": 2}})
    assert (found.study, found.machine.nodes, found.machine.device) == ("other", 2, "cpu")
    for wrong, message in (
        ({"study": "others"}, "--config: study: found \"others\", no study of that name; did you mean 'other'?"),
        ({"stdy": "other"}, "--config: stdy: unknown key; did you mean 'study'?"),
    ):
        with pytest.raises(StudyError) as caught:
            load_config(path, wrong)
        assert str(caught.value).startswith(message)


def test_scalars_are_read_as_editors_read_them(tmp_path):
    path = tmp_path / "config.yaml"
    text = yaml.safe_dump(GOOD).replace("lr: 0.01", "lr: 1e-2")
    text += "report: {title: no, course: 1:30, overview: 2026-01-02}\n"
    path.write_text(text, encoding="utf-8")
    found = load_config(path)
    assert found.workloads["mnist"].optimizer.lr == 0.01
    assert (found.report.title, found.report.course, found.report.overview) == ("no", "1:30", "2026-01-02")
