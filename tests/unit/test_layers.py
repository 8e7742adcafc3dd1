"""The layers of the package point one way, and torch stays where something trains."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "src" / "scalestudy"
LAYERS = ("spec", "records", "container", "train", "analysis", "report", "cli")
HOST_MODULES = (
    "scalestudy.cli",
    "scalestudy.cli.planning",
    "scalestudy.container.prepare",
    "scalestudy.container.inside",
    "scalestudy.analysis.analyze",
    "scalestudy.report.build",
    "scalestudy.report.show",
)


def imported_layers(path: Path) -> set[str]:
    """Layers that a module imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
        elif isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
    return {name.split(".")[1] for name in names if name.startswith("scalestudy.") and name.split(".")[1] in LAYERS}


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_imports_only_from_those_before_it(layer: str) -> None:
    allowed = set(LAYERS[: LAYERS.index(layer) + 1])
    for path in (PACKAGE / layer).rglob("*.py"):
        assert imported_layers(path) <= allowed, path


@pytest.mark.parametrize("module", HOST_MODULES)
def test_the_host_side_runs_without_torch(module: str) -> None:
    code = f"import sys; sys.modules['torch'] = None; import {module}; assert sys.modules['torch'] is None"
    subprocess.run([sys.executable, "-c", code], check=True)
