"""What an image is built upon is recorded by its digest, or with the reason why that is not known."""

import hashlib
import json
import os

import pytest

from scalestudy.container.base import base_of, base_of_ready
from scalestudy.container.builders import BUILDERS
from scalestudy.records.image import Base
from scalestudy.spec.container import ContainerSpec

DIGEST = f"sha256:{64 * 'a'}"
TAG = ContainerSpec(base="docker://python:3.11-slim")
WHOLE = "docker.io/library/python:3.11-slim"


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Makes a program that prints this and writes down its arguments; returns what reads them."""

    def make(name, printed):
        path, log = tmp_path / name, tmp_path / "arguments"
        path.write_text(f"#!/bin/sh\necho \"$@\" >> '{log}'\necho '{printed}'\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        return lambda: log.read_text().splitlines()

    return make


@pytest.mark.parametrize("builder", BUILDERS)
def test_a_pinned_base_is_what_it_is_pinned_to(builder, tmp_path):
    spec = ContainerSpec(base=f"docker://python@{DIGEST}")
    assert base_of(spec, builder, tmp_path, "") == Base(name=spec.base, digest=DIGEST)


def test_of_a_local_sif_it_is_the_hash_of_the_file_in_the_projects_folder(tmp_path):
    (tmp_path / "base.sif").write_bytes(b"a base")
    digest = f"sha256:{hashlib.sha256(b'a base').hexdigest()}"
    for name in ("base.sif", str(tmp_path / "base.sif")):
        assert base_of(ContainerSpec(base=name), "apptainer", tmp_path, "").digest == digest


@pytest.mark.parametrize("builder", ["buildah", "podman"])
def test_of_a_tag_the_builders_store_is_asked_for_what_was_built_upon(builder, tmp_path, program):
    asked = program(builder, DIGEST)
    assert base_of(TAG, builder, tmp_path, "STEP 1/9: FROM python:3.11-slim") == Base(name=TAG.base, digest=DIGEST)
    assert [line.split()[-1] for line in asked()] == [WHOLE]


def test_of_a_tag_buildkits_log_names_what_was_built_upon(tmp_path):
    log = f"#5 [stage-0 1/3] FROM {WHOLE}@{DIGEST}\n#5 resolve {WHOLE}@{DIGEST} 0.0s done\n"
    assert base_of(TAG, "docker", tmp_path, log).digest == DIGEST
    other = log.replace("3.11-slim", "3.12-slim")
    assert base_of(TAG, "docker", tmp_path, other).digest is None


@pytest.mark.parametrize("builder", BUILDERS)
def test_where_nothing_tells_the_reason_stands_for_it(builder, tmp_path, program):
    program(builder, "no such image")
    found = base_of(TAG, builder, tmp_path, "")
    assert json.loads(found.model_dump_json())["digest"] is None
    assert found.reason == f"{builder} does not tell what the name stood for; docker://NAME@sha256:... would"


def test_a_ready_image_tells_no_more_than_the_name():
    assert base_of_ready(f"python@{DIGEST}") == Base(name=f"python@{DIGEST}", digest=DIGEST)
    assert base_of_ready("python:3.11-slim").digest is None
    assert base_of_ready("python:3.11-slim").reason == "a ready image tells at most the name"
