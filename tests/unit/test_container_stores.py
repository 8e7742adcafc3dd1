"""Docker and Podman, as far as their command lines go: an executable of their name records them and answers as they do.

No daemon was available to the authors; what the engines make of the command lines is not tested.
"""

import json
import signal
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from scalestudy.container import making
from scalestudy.container.engines import ENGINES
from scalestudy.container.inside import run_inside
from scalestudy.container.making import Making
from scalestudy.container.prepare import prepare
from scalestudy.errors import StudyError
from scalestudy.records.files import write_model
from scalestudy.spec.container import ContainerSpec
from scalestudy.spec.reading import load_config

ROOT = Path(__file__).parents[2]
ID = 64 * "a"
RECORDER = """#!{python}
import json, os, subprocess, sys

words = sys.argv[1:]
with open({log!r}, "a") as log:
    log.write(json.dumps(words) + "\\n")
if words == ["--version"]:
    print({version!r})
elif words[0] == "load":
    print({loaded!r})
elif words[:2] == ["image", "inspect"]:
    known = words[-1] in {known!r}
    print({id!r} + " 1234" if known else "", end="\\n" if known else "")
    if not known:
        sys.exit("Error: No such image: " + words[-1])
elif words[0] == "run":
    place = words.index("sha256:" + {digits!r})
    program = [sys.executable if word == "python" else word for word in words[place + 1 :]]
    if "-m" not in program:  # the self test needs seconds, and nothing of the engine
        sys.exit(subprocess.call(program))
"""
SAYS = {
    "docker": {"version": "Docker version 27.1.1, build 6312585", "id": f"sha256:{ID}"},
    "podman": {"version": "podman version 4.3.1", "id": ID},
}
VERSIONS = {"docker": "27.1.1", "podman": "4.3.1"}


@pytest.fixture(params=["docker", "podman"])
def engine(request):
    return ENGINES[request.param]


@pytest.fixture
def recorder(engine, tmp_path, monkeypatch):
    """Puts the executable onto PATH; returns what reads the command lines since the last time it was asked."""

    def make(loaded="", known=()):
        program, log = tmp_path / "bin" / engine.name, tmp_path / "log"
        program.parent.mkdir(exist_ok=True)
        known = [*known, f"sha256:{ID}"]
        facts = SAYS[engine.name] | {"loaded": loaded, "known": known, "log": str(log), "digits": ID}
        program.write_text(RECORDER.format(python=sys.executable, **facts))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")

        def since():
            lines = log.read_text().splitlines() if log.exists() else []
            log.unlink(missing_ok=True)
            return [json.loads(line) for line in lines]

        return since

    return make


def config(engine, image, **settings):
    return load_config(ROOT / "config.yaml", {"container": {"engine": engine.name, "image": image, **settings}})


def test_the_version_is_what_follows_the_name(engine, recorder):
    recorder()
    assert engine.version() == VERSIONS[engine.name]


def test_an_address_is_pulled_by_its_whole_name_and_taken_by_its_id(engine, recorder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = "docker.io/rocm/mine:1"
    said = recorder(known=[name])
    image = prepare(config(engine, "docker://rocm/mine:1", digest=f"sha256:{ID}"))
    assert (image.reference, image.digest, image.size_bytes) == (f"sha256:{ID}", f"sha256:{ID}", 1234)
    assert (image.engine_version, image.sif) == (VERSIONS[engine.name], None)
    assert "torch" in image.contents.packages
    lines = said()
    assert lines[0] == ["pull", "--quiet", name]
    assert lines[1] == ["image", "inspect", "--format", "{{.Id}} {{.Size}}", name]
    assert lines[2][0] == "run"
    again = prepare(config(engine, "docker://rocm/mine:1"))
    assert again == image.model_copy(update={"made_from": again.made_from})  # no digest is insisted on now
    assert [words[0] for words in said()] == ["image", "--version"]  # it is there: nothing is pulled again


def test_docker_builds_with_buildkit_which_lends_files_to_a_build(engine, recorder, tmp_path, monkeypatch):
    monkeypatch.setattr(making, "project_root", lambda: ROOT)
    recorder()
    program = tmp_path / "bin" / engine.name
    program.write_text('#!/bin/sh\necho "BuildKit: $DOCKER_BUILDKIT"; exit 1\n')
    monkeypatch.delenv("DOCKER_BUILDKIT", raising=False)
    with pytest.raises(StudyError, match=f"BuildKit: {'1' if engine.name == 'docker' else ''}".strip() + "$"):
        Making(engine, ContainerSpec(), engine.name, "key").make(tmp_path)


@pytest.fixture
def handing_over(engine, tmp_path, monkeypatch):
    """Makes an image for Apptainer with this engine as the builder; returns the words of all that was called.

    ``fails``: the command that does.
    """

    def make(fails=""):
        log, programs = tmp_path / "log", tmp_path / "programs"
        programs.mkdir()
        for name in (engine.name, "apptainer"):
            script = f'#!/bin/sh\necho "{name} $*" >> {log}\n[ "$1" != "{fails}" ] || exit 1\n'
            (programs / name).write_text(script)
            (programs / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
        monkeypatch.setattr(making, "project_root", lambda: ROOT)
        one = Making(ENGINES["apptainer"], ContainerSpec(), engine.name, "key")
        if fails:
            with pytest.raises(StudyError, match="building failed"):
                one.make(tmp_path)
        else:
            assert one.make(tmp_path) == str(tmp_path / "scalestudy.sif")
        return [line.split() for line in log.read_text().splitlines()]

    return make


def test_what_was_built_for_apptainer_is_not_kept_in_the_store_too(engine, handing_over):
    build, save, take, discard = handing_over()
    assert (build[:2], save[:2], take[:2]) == ([engine.name, "build"], [engine.name, "save"], ["apptainer", "build"])
    assert discard == [engine.name, "rmi", "localhost/scalestudy:key"]


def test_what_could_not_be_saved_is_not_kept_in_the_store_either(engine, handing_over):
    assert [words[1] for words in handing_over(fails="save")] == ["build", "save", "rmi"]


def test_what_the_builder_itself_runs_stays_in_its_store(engine, tmp_path, monkeypatch, recorder):
    monkeypatch.setattr(making, "project_root", lambda: ROOT)
    tag = "localhost/scalestudy:key"
    said = recorder(known=[tag])
    assert Making(engine, ContainerSpec(), engine.name, "key").make(tmp_path) == f"sha256:{ID}"
    assert [words[0] for words in said()] == ["build", "image"]


@pytest.mark.parametrize(
    "loaded", ["Loaded image: localhost/mine:1", "Loaded image(s): localhost/mine:1", f"Loaded image ID: sha256:{ID}"]
)
def test_an_archive_is_loaded_and_taken_by_the_name_that_loading_says(engine, recorder, tmp_path, monkeypatch, loaded):
    monkeypatch.chdir(tmp_path)
    Path("mine.tar").write_bytes(b"an archive")
    said = recorder(loaded, known=["localhost/mine:1"])
    assert prepare(config(engine, "mine.tar")).reference == f"sha256:{ID}"
    lines = said()
    assert lines[0] == ["load", "--quiet", "--input", "mine.tar"]
    assert lines[1][-1] == loaded.split()[-1]


def test_an_image_that_is_not_in_the_store_is_one_line(engine, recorder):
    recorder()
    with pytest.raises(StudyError, match=rf"^container\.image: other: {engine.name} has no such image: Error: No such"):
        engine.identify("other")


def test_a_command_is_run_with_folders_variables_and_words_as_they_are(engine, recorder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = recorder(known=["docker.io/library/mine"])
    record = tmp_path / "image.json"
    write_model(record, prepare(config(engine, "docker://mine", bind=["/etc:/data:ro"], run_options=["--cpus", "2"])))
    value = "cuda>=12.4 brand=tesla,driver>=470\n'\"$(id)"
    monkeypatch.setenv("NVIDIA_REQUIRE_CUDA", value)
    monkeypatch.setenv("SECRET", "hidden")
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # they stay those of the tests
    said()
    assert run_inside(record, ["python", "-c", "import sys; sys.exit(len(sys.argv))", "two words", "$HOME"]) == 3
    (line,) = (words for words in said() if words[0] == "run")
    assert line[line.index(f"sha256:{ID}") - 2 :][:3] == ["--cpus", "2", f"sha256:{ID}"]
    assert line[-2:] == ["two words", "$HOME"]
    assert line[line.index("--workdir") + 1] == str(tmp_path)
    assert line[line.index("--network") + 1] == "none"
    pairs = set(pairwise(line))
    assert {("--volume", f"{tmp_path}:{tmp_path}"), ("--volume", "/etc:/data:ro")} <= pairs
    assert ("--env", "NVIDIA_REQUIRE_CUDA") in pairs
    assert not any(value in word for word in line)  # which everybody sees in the list of processes
    assert not any("SECRET" in word for word in line)
    monkeypatch.setenv("WORLD_SIZE", "2")
    run_inside(record, ["true"])
    (line,) = (words for words in said() if words[0] == "run")
    assert line[line.index("--network") + 1] == "host"
