"""Import paths from config.yaml: every way to fail is one line that names the key and the path."""

import sys

import pytest

from scalestudy.errors import StudyError
from scalestudy.train.imports import call, resolve


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty current folder; modules imported from it are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        del sys.modules[name]


def test_a_module_of_the_current_folder_is_found(here):
    (here / "own_module_a.py").write_text("class Outer:\n    class Inner:\n        pass\n")
    assert resolve("own_module_a:Outer.Inner", "model.name").__name__ == "Inner"


def test_a_package_of_the_current_folder_is_found(here):
    (here / "own_package_b").mkdir()
    (here / "own_package_b" / "part.py").write_text("def load(): return 5\n")
    assert resolve("own_package_b.part:load", "data.name")() == 5


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("own_c", "model.name: 'own_c' is not an import path: write package.module:Name"),
        ("own_c:", "is not an import path"),
        ("own c:Net", "is not an import path"),
        (":Net", "is not an import path"),
        ("no_such_module_c:Net", "model.name: no_such_module_c:Net: there is no module no_such_module_c"),
        ("json.nothing:Net", "there is no module json.nothing"),
        ("json:Net", "model.name: json:Net: the module json has no Net"),
        ("json:decoder", "is a module, and should be a class or a function"),
        ("own_needs:Net", "importing it failed: ModuleNotFoundError: No module named 'not_installed_c'"),
        ("own_broken:Net", "importing it failed: SyntaxError"),
        ("own_raises:Net", "importing it failed: RuntimeError: first second"),
    ],
)
def test_a_path_that_fails_is_named(here, path, message):
    (here / "own_needs.py").write_text("import not_installed_c\n")
    (here / "own_broken.py").write_text("class Net(:\n")
    (here / "own_raises.py").write_text("raise RuntimeError('first\\nsecond')\n")
    with pytest.raises(StudyError, match=message) as refusal:
        resolve(path, "model.name")
    assert "\n" not in str(refusal.value)


def test_what_a_call_raises_names_key_and_path():
    def fail(_):
        raise KeyError("width")

    with pytest.raises(StudyError, match=r"model\.options: mine:fail: KeyError: 'width'"):
        call(fail, "mine:fail", "model.options", 1)


def test_options_may_have_any_name():
    options = {"path": "images", "key": "k", "function": "f"}
    assert call(dict, "mine:load", "data.options", **options) == options


def test_a_study_error_passes_through_a_call():
    def fail():
        raise StudyError("data/mine.csv: is missing")

    with pytest.raises(StudyError, match=r"^data/mine\.csv: is missing$"):
        call(fail, "mine:fail", "data.options")
