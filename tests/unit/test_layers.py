"""The layers of the package point one way, and torch stays where something trains."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "src" / "scalestudy"
LAYERS = ("spec", "records", "container", "train", "analysis", "report", "cli")
SNAKEMAKE = ("snakemake", "snakemake_interface_common", "snakemake_interface_executor_plugins")
ALONE = {
    "submitit_ranks": ("submitit", "cloudpickle"),
    "snakemake_executor_plugin_submitit": (*SNAKEMAKE, "submitit_ranks"),
}
"""Packages that know nothing of scalestudy, and what they need beside the standard library."""
HOST_MODULES = (
    "scalestudy.cli",
    "scalestudy.cli.planning",
    "scalestudy.container.prepare",
    "scalestudy.container.inside",
    "scalestudy.analysis.analyze",
    "scalestudy.report.build",
    "scalestudy.report.show",
)


def imported(path: Path) -> set[str]:
    """What a module imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
        elif isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
    return names


def imported_layers(path: Path) -> set[str]:
    """Those of them that are layers."""
    names = imported(path)
    return {name.split(".")[1] for name in names if name.startswith("scalestudy.") and name.split(".")[1] in LAYERS}


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_imports_only_from_those_before_it(layer: str) -> None:
    allowed = set(LAYERS[: LAYERS.index(layer) + 1])
    for path in (PACKAGE / layer).rglob("*.py"):
        assert imported_layers(path) <= allowed, path


@pytest.mark.parametrize("package", ALONE)
def test_what_could_be_published_without_scalestudy_needs_no_more_than_it_says(package: str) -> None:
    files = list((PACKAGE.parent / package).rglob("*.py"))
    assert files
    allowed = {*ALONE[package], package, *sys.stdlib_module_names}
    for path in files:
        assert {name.partition(".")[0] for name in imported(path)} <= allowed, path


@pytest.mark.parametrize(
    ("module", "other"),
    [("scalestudy.cli.doctor.examine", "snakemake"), ("snakemake_executor_plugin_submitit", "submitit")],
)
def test_a_package_is_loaded_only_where_it_is_used(module: str, other: str) -> None:
    code = f"import sys; sys.modules['{other}'] = None; import {module}"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("module", HOST_MODULES)
def test_the_host_side_runs_without_torch(module: str) -> None:
    code = f"import sys; sys.modules['torch'] = None; import {module}; assert sys.modules['torch'] is None"
    subprocess.run([sys.executable, "-c", code], check=True)
