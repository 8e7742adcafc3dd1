"""What .ci/run says of the tests, held against the tests."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


SIGNS = ("weights_sha256", "learned(")
"""How a test that compares bits of two trainings can be told."""


def test_no_test_that_compares_weights_is_given_a_second_try():
    once = re.compile("".join(re.findall(r"^bits\+?='(.*)'$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)))
    assert once.pattern
    files = [
        file for part in ("train", "link", "cluster", "container") for file in (ROOT / "tests" / part).glob("test_*")
    ]
    compares = [
        f"{file.name}::{node.name}"
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        if any(sign in ast.unparse(node) for sign in SIGNS)
    ]
    assert len(compares) > 20
    assert [name for name in compares if not once.search(name)] == []
