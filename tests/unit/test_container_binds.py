"""What of the host is seen inside an image."""

from pathlib import Path

import pytest

from scalestudy.container.binds import binds
from scalestudy.container.prepare import planned_image
from scalestudy.errors import StudyError
from scalestudy.records.image import Image, Running
from scalestudy.spec.reading import load_config

ROOT = Path(__file__).parents[2]


def test_a_bind_source_that_does_not_exist_is_one_line_and_others_keep_their_targets(tmp_path):
    image = Image(engine="apptainer", run=Running(bind=[f"{tmp_path}:/inside:ro"]))
    assert binds(image, tmp_path, tmp_path, False) == [f"{tmp_path}:{tmp_path}", f"{tmp_path}:/inside:ro"]
    missing = Image(engine="apptainer", run=Running(bind=["/nowhere/at/all:/inside"]))
    with pytest.raises(StudyError, match=r"container\.bind: found /nowhere/at/all; must exist") as caught:
        binds(missing, tmp_path, tmp_path, False)
    assert "\n" not in str(caught.value)


def test_a_bind_source_that_may_not_be_seen_or_a_home_that_there_is_none_of_is_one_line(tmp_path, monkeypatch):
    def closed(path, **options):
        if path == Path("/srv/x"):
            raise PermissionError(13, "Permission denied", str(path))
        return seen(path, **options)

    seen = Path.stat
    nobodys = Image(engine="apptainer", run=Running(bind=["~nobody-of-this-name/data"]))
    with pytest.raises(StudyError, match=r"container\.bind: found ~nobody-of-this-name/data; cannot be seen on"):
        binds(nobodys, tmp_path, tmp_path, False)
    monkeypatch.setattr(Path, "stat", closed)
    with pytest.raises(StudyError, match=r"container\.bind: found /srv/x; cannot be seen on \S+: Permission denied"):
        binds(Image(engine="apptainer", run=Running(bind=["/srv/x"])), tmp_path, tmp_path, False)


def test_a_file_that_a_command_reads_is_bound_where_it_lies_unless_it_is_in_the_study_folder(tmp_path):
    study, other = tmp_path / "study", tmp_path / "other.yaml"
    study.mkdir()
    other.touch()
    (study / "own.yaml").touch()
    (study / "linked.yaml").symlink_to(other)
    plain = [f"{study}:{study}"]
    image = Image(engine="apptainer")
    assert binds(image, study, study, True, [study / "own.yaml"]) == plain
    for path in (other, study / "linked.yaml"):
        assert binds(image, study, study, True, [path]) == [*plain, f"{other}:{other}:ro"]


def test_a_bind_source_that_is_missing_here_is_found_before_anything_is_built_unless_nodes_may_have_it(
    tmp_path, monkeypatch
):
    apptainer = tmp_path / "apptainer"
    apptainer.write_text("#!/bin/sh\n")
    apptainer.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    config = load_config(
        ROOT / "config.yaml", {"container": {"engine": "apptainer", "image": "x.sif", "bind": ["/nowhere/at/all"]}}
    )
    with pytest.raises(StudyError, match=r"container\.bind: found /nowhere/at/all; must exist"):
        planned_image(config)
    assert planned_image(config, cluster=True)


def test_results_that_are_linked_into_a_closed_folder_are_not_bound(tmp_path, monkeypatch):
    def closed(path, **options):
        if path == tmp_path / "results" / "old" and options.get("follow_symlinks", True):
            raise PermissionError(13, "Permission denied", str(path))
        return seen(path, **options)

    seen = Path.stat
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "old").symlink_to("/srv")
    assert "/srv:/srv" in binds(Image(engine="apptainer"), tmp_path, tmp_path, False)
    monkeypatch.setattr(Path, "stat", closed)
    assert binds(Image(engine="apptainer"), tmp_path, tmp_path, False) == [f"{tmp_path}:{tmp_path}"]


@pytest.mark.parametrize("name", ["a:b", "a,b"])
def test_a_path_that_no_bind_option_can_name_is_one_line(name, tmp_path, monkeypatch):
    odd, plain = tmp_path / name, tmp_path / "plain"
    odd.mkdir()
    plain.mkdir()
    for folder, scratch, bind, what in (
        (odd, plain, [], "the study's folder"),
        (plain, odd, [], "TMPDIR"),
        (plain, plain, [str(odd)] if name == "a,b" else [], "container.bind" if name == "a,b" else ""),
    ):
        image = Image(engine="apptainer", run=Running(bind=bind))
        if what:
            with pytest.raises(StudyError, match=rf"^{what}: found {odd}; must be a path without ':' and ','"):
                binds(image, folder, scratch, False)
    apptainer = tmp_path / "apptainer"
    apptainer.write_text("#!/bin/sh\n")
    apptainer.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    settings = {"container": {"engine": "apptainer", "image": "x.sif"}}
    monkeypatch.chdir(odd)
    with pytest.raises(StudyError, match=rf"^the study's folder: found {odd};"):
        planned_image(load_config(ROOT / "config.yaml", settings))
    monkeypatch.chdir(plain)
    with pytest.raises(StudyError, match=rf"^data.folder: found {odd};"):
        planned_image(load_config(ROOT / "config.yaml", settings | {"data": {"folder": str(odd)}}))


def test_results_that_are_linked_to_another_file_system_are_seen_inside(tmp_path):
    study, elsewhere = tmp_path / "study", tmp_path / "elsewhere"
    (study / "results").mkdir(parents=True)
    (elsewhere / "large").mkdir(parents=True)
    (study / "results/large").symlink_to(elsewhere / "large")
    (study / "results/near").symlink_to(study)
    assert binds(Image(engine="apptainer"), study, tmp_path, False) == [
        f"{study}:{study}",
        f"{tmp_path}:{tmp_path}",
        f"{elsewhere / 'large'}:{elsewhere / 'large'}",
    ]


def test_data_outside_are_bound_where_they_are_named_and_where_they_lie(tmp_path, monkeypatch):
    apptainer = tmp_path / "apptainer"
    apptainer.write_text("#!/bin/sh\n")
    apptainer.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    study, data, link = tmp_path / "study", tmp_path / "lie", tmp_path / "named"
    study.mkdir()
    data.mkdir()
    link.symlink_to(data)
    (study / "data").symlink_to(data)
    monkeypatch.chdir(study)

    def bound(folder):
        settings = {"container": {"engine": "apptainer", "image": "x.sif"}, "data": {"folder": folder}}
        return planned_image(load_config(ROOT / "config.yaml", settings)).made_from

    assert f'"bind":["{link}","{data}"]' in bound(str(link))
    assert f'"bind":["{data}"]' in bound("data")
    assert '"bind":[]' in bound("other")


def test_a_home_folder_that_is_another_one_inside_is_refused_for_data(tmp_path):
    with pytest.raises(StudyError, match=r"data\.folder: found \"~/data\"; must be a path without ~"):
        load_config(ROOT / "config.yaml", {"data": {"folder": "~/data"}})
