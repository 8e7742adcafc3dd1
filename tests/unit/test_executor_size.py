"""The executor stays small: what reads it in an hour can mend it."""

import ast
from pathlib import Path

import snakemake_executor_plugin_submitit

BOUND = 400


def statements(text: str) -> int:
    """Logical lines of code: statements, however many lines each is written in, but for imports and docstrings."""
    found = 0
    for node in ast.walk(ast.parse(text)):
        said = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        imported = isinstance(node, ast.Import | ast.ImportFrom)
        found += isinstance(node, ast.stmt | ast.ExceptHandler) and not said and not imported
    return found


def test_statements_are_counted_without_imports_and_docstrings() -> None:
    assert statements('"""A"""\n\nimport b\n\n# c\nif x:\n    y = {\n        1: 2,\n    }\n') == 2


def test_the_executor_has_no_more_statements_than_its_bound() -> None:
    folder = Path(snakemake_executor_plugin_submitit.__file__).parent
    assert sum(statements(path.read_text()) for path in folder.glob("*.py")) <= BOUND
