"""What the engines are told, and when an image is made again."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import pytest

from scalestudy.container import engines
from scalestudy.container import inside as running
from scalestudy.container import key as keys
from scalestudy.container.addresses import whole_name
from scalestudy.container.builders import BUILDERS, SUITABLE, Recipe, chosen_builder
from scalestudy.container.contents import QUESTION, contents, try_out
from scalestudy.container.diagnosis import CAUSES, cause, explained
from scalestudy.container.engines import ENGINES, Apptainer, Docker, Inside, Podman, chosen_engine
from scalestudy.container.inside import passed, run_inside
from scalestudy.container.key import NOT_BUILT, image_key
from scalestudy.container.making import Making
from scalestudy.container.prepare import RECORD, planned_image, recorded
from scalestudy.container.prepare import _running as prepared_running
from scalestudy.errors import StudyError
from scalestudy.records.files import write_model
from scalestudy.records.image import MARK, UNKNOWN, Around, Image, around
from scalestudy.spec.container import ContainerSpec
from scalestudy.spec.reading import load_config

ROOT = Path(__file__).parents[2]


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Makes programs findable: the command lines are looked at, and none is run."""

    def make(*names):
        for name in names:
            (tmp_path / name).write_text("#!/bin/sh\n")
            (tmp_path / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))

    make()
    return make


def config(container):
    """The project's own configuration with this container."""
    return load_config(ROOT / "config.yaml", {"container": container})


def follows(words, *part):
    """Whether the words hold this part, in order and unbroken."""
    return any(tuple(words[start : start + len(part)]) == part for start in range(len(words)))


INSIDE = Inside(
    folder=Path("/study"),
    binds=["/study:/study", "/data:/data:ro"],
    environment={"RANK": "1", "WORDS": "two words"},
    options=["--extra"],
)


def test_apptainer_cleans_the_environment_and_sees_only_what_is_bound(installed):
    installed("apptainer")
    words = Apptainer().command("x.sif", INSIDE)
    assert words[-2:] == ["--extra", "x.sif"]
    assert {"--cleanenv", "--no-home"} <= set(words)
    assert follows(words, "--bind", "/data:/data:ro")
    assert "--env" not in words
    assert follows(words, "--pwd", "/study")
    assert "--nv" not in words


def test_apptainer_is_given_variables_by_its_prefix_and_the_home_by_an_option(installed):
    installed("apptainer")
    value = "cuda>=12.4 brand=tesla,driver>=470\n'\"$(id)"
    inside = Inside(Path("/study"), environment={"A": value, "HOME": "/scratch"})
    assert Apptainer().variables(inside) == {"APPTAINERENV_A": value, "APPTAINER_NO_EVAL": "1"}
    assert follows(Apptainer().command("x.sif", inside), "--home", "/scratch")
    (Path(os.environ["PATH"]) / "apptainer").unlink()
    installed("singularity")
    assert Apptainer().variables(inside) == {"SINGULARITYENV_A": value, "SINGULARITY_NO_EVAL": "1"}
    assert Docker().variables(inside) == {"A": value}


@pytest.mark.parametrize(
    ("engine", "accelerator", "option"),
    [
        (Apptainer(), "nvidia", ("--nv",)),
        (Apptainer(), "amd", ("--rocm",)),
        (Docker(), "nvidia", ("--gpus", "all")),
        (Podman(), "nvidia", ("--device", "nvidia.com/gpu=all")),
        (Podman(), "amd", ("--device", "/dev/kfd")),
    ],
)
def test_gpus_are_passed_where_there_are_any(installed, engine, accelerator, option):
    installed(engine.name)
    assert follows(engine.command("x", Inside(Path("/"), accelerator=accelerator)), *option)


def test_docker_is_given_the_groups_of_the_caller_and_of_amd_gpus_and_podman_keeps_them(
    installed, tmp_path, monkeypatch
):
    installed("docker", "podman")
    (tmp_path / "dri").mkdir()
    for name in ("kfd", "dri/renderD128", "dri/card0"):
        (tmp_path / name).touch()
    monkeypatch.setattr(engines, "DEVICES", tmp_path)
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    monkeypatch.setattr(os, "getgroups", lambda: [4321])
    amd, nvidia = (Inside(Path("/"), accelerator=kind) for kind in ("amd", "nvidia"))
    group = str((tmp_path / "kfd").stat().st_gid)
    assert Docker().command("x", amd).count("--group-add") == 2
    for inside in (amd, nvidia):
        assert follows(Docker().command("x", inside), "--group-add", "4321")
    assert Docker().command("x", nvidia).count("--group-add") == 1
    assert follows(Docker().command("x", amd), "--group-add", group)
    assert follows(Podman().command("x", amd), "--group-add", "keep-groups")
    assert "--group-add" not in Podman().command("x", nvidia)  # only crun can keep them
    monkeypatch.setattr(os, "getuid", lambda: 0)
    assert "--group-add" not in Podman().command("x", amd)


@pytest.mark.parametrize(("gpus", "option"), [("auto", True), ("none", False)])
def test_gpus_are_not_passed_where_the_configuration_says_none(installed, tmp_path, monkeypatch, gpus, option):
    installed("apptainer")
    monkeypatch.setattr(running, "_accelerator", lambda: "nvidia")
    seen = []
    monkeypatch.setattr(running, "_supervised", lambda words, _: seen.append(words) or 0)
    monkeypatch.setattr(running, "_check_file", lambda *_: None)
    run = prepared_running(config({"engine": "apptainer", "gpus": gpus}))
    write_model(tmp_path / RECORD, Image(engine="apptainer", reference="x.sif", run=run))
    assert run_inside(tmp_path / RECORD, ["true"]) == 0
    assert ("--nv" in seen[0]) is option


@pytest.mark.parametrize("wrong", ["all", "None", 1, True, None])
def test_another_word_for_gpus_is_refused_with_those_that_there_are(wrong):
    with pytest.raises(StudyError, match=r"container\.gpus: found \S+; must be one of auto, none\b"):
        config({"gpus": wrong})


def test_an_engine_that_cannot_pass_gpus_on_says_so(installed, tmp_path, monkeypatch):
    installed("docker")
    said = 'could not select device driver "" with capabilities: [[gpu]].'
    script = f"#!/bin/sh\ncase \"$*\" in *--gpus*) echo '{said}' >&2; exit 125 ;; esac\n"
    (Path(os.environ["PATH"]) / "docker").write_text(script)
    monkeypatch.setattr(running, "_accelerator", lambda: "nvidia")
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # they stay those of the tests
    write_model(tmp_path / RECORD, Image(engine="docker", reference="sha256:1", digest="sha256:1"))
    with pytest.raises(StudyError, match=r"docker cannot run it: .*install the NVIDIA container toolkit"):
        run_inside(tmp_path / RECORD, ["true"])


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_selinux_labels_hide_nothing_from_commands_and_builds(installed, engine):
    installed(engine)
    option = ("--security-opt", "label=disable")
    assert follows(ENGINES[engine].command("x", INSIDE), *option)
    recipe = Recipe(ROOT, ContainerSpec(), {}, tag="x")
    for name in ("podman", "buildah"):
        assert follows(BUILDERS[name].build(recipe, "x"), *option)


def test_of_a_package_that_is_there_twice_the_one_that_is_imported_is_recorded(tmp_path):
    for version in ("1", "2"):
        facts = tmp_path / version / f"twice-{version}.dist-info" / "METADATA"
        facts.parent.mkdir(parents=True)
        facts.write_text(f"Metadata-Version: 2.1\nName: twice\nVersion: {version}\n")
    around = os.environ | {"PYTHONPATH": f"{tmp_path / '1'}:{tmp_path / '2'}"}
    done = subprocess.run([sys.executable, "-c", QUESTION], env=around, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["packages"]["twice"] == "1"


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_the_entry_point_of_an_image_does_not_stand_before_the_command(installed, engine):
    installed(engine)
    assert follows(ENGINES[engine].command("x", INSIDE), "--entrypoint", "")


@pytest.mark.parametrize("base", ["/home/o'neil/base.sif", 'docker://a"b', "docker://a\\b", "docker://a\nb"])
def test_a_base_that_a_definition_cannot_quote_is_refused(base):
    with pytest.raises(StudyError, match=r"container\.base: found "):
        config({"engine": "apptainer", "base": base})


@pytest.mark.parametrize("online", [False, True])
def test_an_engine_gets_no_proxy_that_it_would_hand_on_but_for_a_download(installed, tmp_path, monkeypatch, online):
    installed("apptainer")
    monkeypatch.setenv("https_proxy", "http://me:secret@proxy")
    monkeypatch.setenv("NO_PROXY", "localhost")
    seen = []
    monkeypatch.setattr(running, "_supervised", lambda _, environment: seen.append(environment) or 0)
    monkeypatch.setattr(running, "_check_file", lambda *_: None)
    write_model(tmp_path / RECORD, Image(engine="apptainer", reference="x.sif"))
    assert run_inside(tmp_path / RECORD, ["true"], online) == 0
    assert [name in seen[0] for name in ("https_proxy", "NO_PROXY", "APPTAINERENV_https_proxy")] == 3 * [online]


def test_an_image_whose_file_was_deleted_is_outdated(installed, tmp_path, monkeypatch):
    installed("apptainer")
    monkeypatch.chdir(tmp_path)
    asked = config({"engine": "apptainer"})
    planned, sif = planned_image(asked), tmp_path / "x.sif"
    write_model(Path(planned.record), Image(engine="apptainer", reference=str(sif), made_from=planned.made_from))
    sif.touch()
    assert not planned_image(asked).outdated
    sif.unlink()
    assert planned_image(asked).outdated


def test_an_image_in_a_folder_that_is_closed_is_one_line(installed, tmp_path, monkeypatch):
    def closed(path):
        if path.is_relative_to("/home/other"):
            raise PermissionError(13, "Permission denied", str(path))
        return seen(path)

    seen = Path.is_file
    installed("apptainer")
    monkeypatch.setattr(Path, "is_file", closed)
    for key, name in (("image", "/home/other/x.sif"), ("base", "/home/other/base.sif")):
        with pytest.raises(StudyError, match=r"/home/other/\S+: cannot be read: Permission denied"):
            Making.of(Apptainer(), ContainerSpec(engine="apptainer", **{key: name}))


def test_docker_runs_as_the_caller_without_a_network_unless_it_is_needed(installed):
    installed("docker")
    words = Docker().command("sha256:1", INSIDE)
    assert follows(words, "--user", f"{os.getuid()}:{os.getgid()}")
    assert follows(words, "--network", "none")
    assert follows(words, "--env", "RANK")
    assert Docker().variables(INSIDE)["RANK"] == "1"
    assert words[-2:] == ["--extra", "sha256:1"]
    assert follows(Docker().command("x", Inside(Path("/"), network=True)), "--network", "host")


def test_podman_keeps_the_callers_id(installed, monkeypatch):
    installed("podman")
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    words = Podman().command("x", INSIDE)
    assert follows(words, "--userns", "keep-id")
    assert "--user" not in words


def test_an_engine_that_is_not_installed_is_one_line_and_auto_takes_the_first_that_is(installed):
    with pytest.raises(StudyError, match=r"container.engine: apptainer is not installed on \S+") as caught:
        chosen_engine("apptainer")
    assert "\n" not in str(caught.value)
    with pytest.raises(StudyError, match="found auto; none of apptainer, podman, docker is installed"):
        chosen_engine("auto")
    assert chosen_engine("none") is None
    installed("docker")
    assert chosen_engine("auto").name == "docker"
    installed("singularity")
    assert chosen_engine("auto").name == "apptainer"
    assert Apptainer().command("x.sif", INSIDE)[0] == "singularity"


def test_the_engine_builds_itself_where_it_can(installed):
    installed("buildah", "docker")
    assert chosen_builder("apptainer", "auto") == "buildah"
    assert chosen_builder("docker", "auto") == "docker"
    installed("apptainer")
    assert chosen_builder("apptainer", "auto") == "apptainer"
    with pytest.raises(StudyError, match=r"container\.builder: found podman; not installed here: podman"):
        chosen_builder("apptainer", "podman")


def test_singularity_alone_builds_what_it_runs(installed):
    installed("singularity")
    assert chosen_builder("apptainer", "auto") == "apptainer"
    recipe = Recipe(ROOT, ContainerSpec(), {}, tag="x")
    assert BUILDERS["apptainer"].build(recipe, "x.sif")[:2] == ["singularity", "build"]


def test_every_engine_has_builders_and_every_builder_a_definition():
    assert SUITABLE.keys() == ENGINES.keys()
    for engine, names in SUITABLE.items():
        assert set(names) <= BUILDERS.keys()
        assert any(BUILDERS[name].store == engine for name in names)
    assert all((ROOT / builder.definition).is_file() for builder in BUILDERS.values())


def test_both_definitions_take_every_argument_they_are_given(tmp_path):
    spec = ContainerSpec(base="docker://python:3.11-slim", certificates="/certs", build_options=["--more"])
    recipe = Recipe(ROOT, spec, {"TORCH": "lock", "VERSION": "1", "COMMIT": "2", "LOCK": "3"}, tag="x:1")
    for builder in BUILDERS.values():
        words = builder.build(recipe, "x.sif")
        assert "--more" in words
        assert any("/certs" in word for word in words)
        definition = (ROOT / builder.definition).read_text()
        given = [value.partition("=")[0] for name, value in pairwise(words) if name == "--build-arg"]
        assert {"TORCH", "VERSION", "COMMIT", "LOCK", "BASE"} <= set(given)
        for name in given:
            assert re.search(rf"^\s*(ARG )?{name}=", definition, re.MULTILINE), (builder, name)
    assert follows(BUILDERS["apptainer"].build(recipe, "x.sif"), "--build-arg", "BOOTSTRAP=docker")
    assert follows(BUILDERS["docker"].build(recipe, "x"), "--build-arg", "BASE=docker.io/library/python:3.11-slim")


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("docker://python:3.11-slim", "docker.io/library/python:3.11-slim"),
        ("python@sha256:1", "docker.io/library/python@sha256:1"),
        ("docker://rocm/pytorch:latest", "docker.io/rocm/pytorch:latest"),
        ("docker://localhost/mine", "localhost/mine"),
        ("docker://host:5000/mine", "host:5000/mine"),
        ("docker://quay.io/a/b@sha256:1", "quay.io/a/b@sha256:1"),
    ],
)
def test_a_name_is_given_with_its_registry(address, name):
    assert whole_name(address) == name


def test_a_local_sif_is_a_base_for_apptainer_alone(tmp_path):
    recipe = Recipe(ROOT, ContainerSpec(base="base.sif"), {}, tag="x")
    assert follows(BUILDERS["apptainer"].build(recipe, "x.sif"), "--build-arg", "BOOTSTRAP=localimage")
    with pytest.raises(StudyError, match=r"container.base: found base.sif; must be an address such as docker://NAME"):
        BUILDERS["buildah"].build(recipe, "x")


def test_buildah_builds_straight_into_an_archive_and_the_others_save_theirs(tmp_path):
    recipe = Recipe(ROOT, ContainerSpec(), {}, tag="x:1")
    file = tmp_path / "x.tar"
    for for_apptainer, kind in ((True, "oci-archive"), (False, "docker-archive")):
        source, (straight,) = BUILDERS["buildah"].archive(recipe, file, for_apptainer=for_apptainer)
        assert source == f"{kind}:{file}"
        assert follows(straight, "--tag", f"{kind}:{file}:x:1")
    for name in ("podman", "docker"):
        source, (build, save) = BUILDERS[name].archive(recipe, file, for_apptainer=True)
        assert source == f"docker-archive:{file}"
        assert follows(build, "--tag", "x:1")
        assert {str(file), "x:1"} <= set(save)


def test_the_image_changes_with_what_it_is_made_from_and_not_with_how_it_is_run(monkeypatch, tmp_path):
    for name in ("containers/scalestudy.def", "containers/Dockerfile", *keys.SHARED, "src/scalestudy/module.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    monkeypatch.chdir(tmp_path)
    spec = ContainerSpec(engine="apptainer")
    first = image_key("apptainer", "apptainer", spec)
    run = {"bind": ["/x"], "environment": ["X"], "run_options": ["--userns"], "folder": "other"}
    run |= {"gpus": "none"}
    run |= {"digest": f"sha256:{64 * '0'}", "certificates": "/x"}  # where the authorities lie is no part of an image
    assert image_key("apptainer", "apptainer", spec.model_copy(update=run)) == first
    built = {"base": "docker://x", "torch": "base", "build_options": ["--x"]}
    assert set(run) | set(built) | {"engine", "image", "builder"} == set(ContainerSpec.model_fields)
    assert set(built).isdisjoint(NOT_BUILT)
    for key, value in built.items():
        assert image_key("apptainer", "apptainer", spec.model_copy(update={key: value})) != first, key
    left = ("module.pyc", ".module.py.swp", "module.py~")
    for name in (*(f"src/scalestudy/{name}" for name in left), "containers/Dockerfile", "other"):
        (tmp_path / name).write_text("changed")
        assert image_key("apptainer", "apptainer", spec) == first, name
    seen = {first}
    for name in ("containers/scalestudy.def", *keys.SHARED, "src/scalestudy/module.py", "src/scalestudy/new.py"):
        (tmp_path / name).write_text("changed")
        found = image_key("apptainer", "apptainer", spec)
        assert found not in seen, name
        seen.add(found)


def test_a_local_base_that_was_replaced_makes_another_image(monkeypatch, tmp_path):
    monkeypatch.setattr(keys, "project_root", lambda: tmp_path)
    monkeypatch.setattr(keys, "_hash", lambda path: "")
    (tmp_path / "base.sif").write_bytes(b"a base")
    for base in ("base.sif", str(tmp_path / "base.sif")):
        spec = ContainerSpec(engine="apptainer", base=base)
        first = image_key("apptainer", "apptainer", spec)
        assert image_key("apptainer", "apptainer", spec) == first
        (tmp_path / "base.sif").write_bytes(b"another base" + base.encode())
        assert image_key("apptainer", "apptainer", spec) != first


@pytest.mark.parametrize("base", ["nothere.sif", "/nowhere/base", "./base", "images/base.img"])
def test_a_base_that_can_only_be_a_file_must_be_there(installed, base):
    installed("apptainer")
    with pytest.raises(StudyError, match=rf"^container\.base: found {re.escape(base)}; there is no such file$"):
        planned_image(config({"engine": "apptainer", "base": base}))


@pytest.mark.parametrize("base", ["docker://python:3.11-slim", "library/python", "python", "docker-archive://x.img"])
def test_a_base_that_may_be_an_address_is_left_to_the_builder(installed, base):
    installed("apptainer")
    assert planned_image(config({"engine": "apptainer", "base": base})).made_from


def test_the_digest_that_a_ready_image_must_have_makes_no_other_image_but_is_looked_at(installed, tmp_path):
    installed("apptainer")
    ready = {"engine": "apptainer", "image": str(tmp_path / "x.tar")}
    pinned = ready | {"digest": f"sha256:{64 * '0'}"}
    plain, asked = (Making.of(ENGINES["apptainer"], config(one).container) for one in (ready, pinned))
    assert plain.key == asked.key
    assert planned_image(config(ready)).made_from != planned_image(config(pinned)).made_from


def test_an_image_that_was_copied_is_taken_by_what_it_holds_and_a_changed_one_is_not(tmp_path):
    sif, spec = tmp_path / "scalestudy.sif", ContainerSpec(engine="apptainer")
    sif.write_bytes(b"an image")
    making = Making(ENGINES["apptainer"], spec, "apptainer", "key")
    digest, size = making.engine.identify(str(sif))
    facts = {"reference": str(sif), "digest": digest, "size_bytes": size}
    image = Image(engine="apptainer", modified=int(sif.stat().st_mtime), **facts)
    write_model(tmp_path / RECORD, image)
    assert recorded(making, tmp_path) == image
    os.utime(sif, (1000, 1000))
    assert recorded(making, tmp_path) == image.model_copy(update={"modified": 1000})
    for other in (b"an Image", b"another image"):
        sif.write_bytes(other)
        os.utime(sif, (2000, 2000))
        assert recorded(making, tmp_path) is None


def test_an_engine_with_a_store_of_its_own_is_refused_where_other_machines_train(installed):
    installed("podman", "docker", "apptainer")
    spec = {"engine": "podman", "image": "docker://x"}
    assert planned_image(config(spec)) is not None
    with pytest.raises(StudyError, match=r"container\.engine: found podman; must be apptainer or none") as caught:
        planned_image(config(spec), cluster=True)
    assert "\n" not in str(caught.value)
    assert planned_image(config(spec | {"engine": "auto"}), cluster=True) is not None
    assert planned_image(config({"engine": "none"}), cluster=True) is None


def test_only_named_variables_are_passed():
    environment = {
        "RANK": "0",
        "SLURM_JOB_ID": "1",
        "SLURM_JWT": "a token",
        "SECRET": "x",
        "MY_ONE": "2",
        "MY_TWO": "3",
        "PYTHONPATH": "y",
    }
    assert passed(environment, ["MY_*"]) == {"RANK": "0", "SLURM_JOB_ID": "1", "MY_ONE": "2", "MY_TWO": "3"}
    assert passed(environment, ["SLURM_JWT"])["SLURM_JWT"] == "a token"


def test_a_process_knows_the_container_around_it():
    facts = Around(engine="apptainer", engine_version="1.4.5", image_digest="sha256:1")
    assert around({MARK: facts.model_dump_json()}) == facts
    assert around({}) == Around()


@pytest.mark.parametrize("engine", ["apptainer", "singularity"])
def test_a_container_that_the_workflow_did_not_start_is_recorded_with_an_unknown_image(engine):
    environment = {f"{engine.upper()}_CONTAINER": "/x.sif"}
    assert around(environment) == Around(engine=engine, image_digest=UNKNOWN)
    ours = Around(engine="apptainer", engine_version="1.4.5", image_digest="sha256:1")
    assert around(environment | {MARK: ours.model_dump_json()}) == ours


def test_an_image_that_hangs_or_a_number_of_ranks_that_is_none_is_one_line(tmp_path, monkeypatch):
    hanging = tmp_path / "docker"
    hanging.write_text('#!/bin/sh\ncase "$*" in *wrong) exit 125 ;; *--version) exit 0 ;; *) exec sleep 60 ;; esac\n')
    hanging.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(running, "CHECK_TIMEOUT_S", 0.2)
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # they stay those of the tests
    write_model(tmp_path / RECORD, Image(engine="docker", reference="sha256:1", digest="sha256:1"))
    with pytest.raises(StudyError, match=r"^sha256:1: docker cannot run it: nothing ran in it within 0.2 s$"):
        run_inside(tmp_path / RECORD, ["wrong"])
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(StudyError, match=r"^WORLD_SIZE: found two in the environment; must be the number of ranks"):
        run_inside(tmp_path / RECORD, ["true"])


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_a_sif_is_no_image_for_the_engine_with_a_store_that_was_found(installed, engine):
    installed(engine)
    with pytest.raises(
        StudyError, match=rf"^container\.image: found x\.sif; .* docker archive .* for {engine}: "
    ) as caught:
        planned_image(config({"engine": "auto", "image": "x.sif"}))
    assert "\n" not in str(caught.value)


def test_a_command_or_a_self_test_that_cannot_read_the_image_is_explained(tmp_path, monkeypatch, capsys):
    apptainer = tmp_path / "apptainer"
    apptainer.write_text("#!/bin/sh\nexit 135\n")
    apptainer.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # they stay those of the tests
    (tmp_path / "x.sif").touch()
    modified = int((tmp_path / "x.sif").stat().st_mtime)
    image = Image(engine="apptainer", reference=str(tmp_path / "x.sif"), modified=modified)
    write_model(tmp_path / RECORD, image)
    assert run_inside(tmp_path / RECORD, ["true"]) == 135
    assert "x.sif: ended by SIGBUS: the image is damaged" in capsys.readouterr().err
    with pytest.raises(StudyError, match=r"^x\.sif: training a step in it ended by SIGBUS: the image is damaged"):
        try_out(ENGINES["apptainer"], "x.sif", "x.sif", [])


def test_a_record_with_an_engine_that_there_is_none_of_is_one_line(tmp_path):
    write_model(tmp_path / RECORD, Image(engine="rocket", reference="x"))
    with pytest.raises(StudyError, match=r"image\.json: found engine rocket; must be one of apptainer, podman, docker"):
        run_inside(tmp_path / RECORD, ["true"])


SAID = [
    ("FATAL: container creation failed: mount error: write /tmp/x: no space left on device", "no space"),
    ("FATAL: while performing build: squashfuse: fuse: device not found, try 'modprobe fuse'", "/dev/fuse"),
    ("ERROR  : Failed to create user namespace: user namespace requires to set", "no user namespaces"),
    ("INFO:    No user namespaces available, using only the fakeroot command\nexit 1", "no user namespaces"),
    (
        "INFO:    User not listed in /etc/subuid, trying root-mapped\nerror: Failed to fetch: https://x",
        "no network",
    ),
    ("Error during unshare(CLONE_NEWUSER): No space left on device", "no user namespaces"),
    ("cannot clone: Operation not permitted", "no user namespaces"),
    ("newuidmap: write to uid_map failed: Operation not permitted", "no user namespaces"),
    ('Get "https://index/v2/": dial tcp: lookup index: no such host', "no network"),
    ("error: Failed to fetch: https://x\n  Caused by: dns error", "no network"),
    ("  Caused by: invalid peer certificate: UnknownIssuer", "container.certificates"),
    ("tls: failed to verify certificate: x509: certificate signed by unknown authority", "container.certificates"),
    ("error: Hash mismatch for `torch==2.15.0`", "the locks in containers/"),
    ("FATAL: could not open image x.sif: image format not recognized", "damaged"),
    ("Error: writing blob: copying layer: unexpected EOF", "its transfer, ended too early"),
    ("FATAL: container creation failed: no root filesystem found in x.sif", "damaged"),
    ("panic: runtime error: makeslice: len out of range\ngoroutine 1 [running]:\n\tcli.go:22 +0x30", "damaged"),
    (
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
        "Docker daemon",
    ),
    ("requested access to the resource is denied", "registry"),
    (
        'Error: creating build container: short-name "python:3.11-slim" did not resolve to an alias and no '
        'unqualified-search registries are defined in "/etc/containers/registries.conf"',
        "must be whole, such as docker.io/library/python:3.11-slim",
    ),
    ('Get "https://index/v2/": proxyconnect tcp: EOF', "no network"),
    ("FATAL: unable to parse image name: invalid reference format", "no address of an image"),
    ("Error: creating build container: repository name must be lowercase", "no address of an image"),
    ("While performing build: conveyor failed to get: could not parse reference: X:x:y", "no address of an image"),
    (
        "#9 1.2 install: container.torch is base, but the base image's python3 has no torch: No module named torch",
        "container.torch is base, but the base image's python3 has no torch",
    ),
    (
        "error: Failed to install: numpy-2.4.6-cp311-cp311-manylinux_2_27_x86_64.whl (numpy==2.4.6)\n"
        "  Caused by: failed to write to file `x`: No space left on device (os error 28)",
        "no space: building needs 12 GB",
    ),
    ("FATAL: container creation failed: mount source /nowhere doesn't exist", "a bind source is missing"),
    ("unknown flag: --secret\nSee 'docker build --help'.", "install docker-buildx"),
    ("the --mount option requires BuildKit. Refer to https://docs.docker.com/go/buildkit/", "install docker-buildx"),
    (
        "ERROR: BuildKit is enabled but the buildx component is missing or broken.",
        "install docker-buildx",
    ),
    (
        'docker: Error response from daemon: could not select device driver "" with capabilities: [[gpu]].',
        "install the NVIDIA container toolkit",
    ),
    ("Error: setting up CDI devices: unresolvable CDI devices nvidia.com/gpu=all", "generate a CDI specification"),
    ("Error: stat nvidia.com/gpu=all: no such file or directory", "generate a CDI specification"),
    (
        "Error: container-init binary not found on the host: stat /usr/libexec/podman/catatonit: no such file",
        "install the package catatonit",
    ),
    ("Error: crun: setrlimit `RLIMIT_NOFILE`: Operation not permitted: OCI permission denied", "--ulimit=host"),
    ("Error: statfs /dev/mqueue: no such file or directory", "--ipc=private"),
    ("Error: OCI runtime error: crun: cgroups in hybrid mode not supported, drop all controllers", "install runc"),
    ("Error: sha256:00: image not known", "store has no such image"),
    (
        "docker: Error response from daemon: No such image: sha256:00.\nSee 'docker run --help'.",
        "store has no such image",
    ),
    (
        "Unable to find image 'sha256:00' locally\ndocker: Error response from daemon: pull access denied for sha256, "
        "repository does not exist or may require 'docker login'",
        "store has no such image",
    ),
    ("mksquashfs: signal: killed", "not enough memory"),
    ('FATAL: "python": executable file not found in $PATH', "the image lacks"),
]
"""What engines and builders write, and words of the cause."""


@pytest.mark.parametrize(("said", "words"), SAID)
def test_a_failure_is_explained_in_plain_words(said, words):
    assert words in cause(f"INFO: Starting build...\n{said}\n")
    assert "\n" not in explained("x", said)


def test_a_limit_of_namespaces_is_not_taken_for_a_full_disk():
    assert "12 GB" in cause("write /tmp/x: no space left on device")
    assert "12 GB" not in cause("Error during unshare(CLONE_NEWUSER): No space left on device")


def test_every_cause_has_been_seen_and_is_found_first():
    seen = {cause(said) for said, _ in SAID}
    assert [one.pattern for one in CAUSES if one.words.format(tmp=tempfile.gettempdir()) not in seen] == []


@pytest.mark.parametrize(
    ("code", "said", "told"),
    [
        (125, "Error: statfs /dev/mqueue: no such file or directory", "which has no /dev/mqueue"),
        (125, "Error: stat /the/hooks: no such file or directory", "stat /the/hooks: no such file or directory"),
        (127, "Error: executable file `python` not found in $PATH", "it is damaged, or holds no Linux system"),
    ],
)
def test_what_the_machine_lacks_is_not_laid_to_the_image(code, said, told, tmp_path, monkeypatch):
    (tmp_path / "podman").write_text(f"#!/bin/sh\necho '{said}' >&2\nexit {code}\n")
    (tmp_path / "podman").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(StudyError, match=rf"^x: nothing can be run in it: .*{re.escape(told)}"):
        contents(ENGINES["podman"], "sha256:1", "x", [])


def test_a_failure_that_nobody_foresaw_shows_its_last_line():
    assert explained("x.def: building failed", "first\nthe weather\n\n") == "x.def: building failed: the weather"
