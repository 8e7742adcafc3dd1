"""What .ci/run says of the tests, held against the tests."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_no_test_in_containers_that_compares_weights_is_given_a_second_try():
    patterns = re.findall(r"^bits\+?='(.*)'$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    once = re.compile("".join(patterns))
    files = (ROOT / "tests" / "container").glob("test_*.py")
    functions = [node for file in files for node in ast.walk(ast.parse(file.read_text())) if hasattr(node, "name")]
    compares = [node.name for node in functions if "weights_sha256" in ast.unparse(node)]
    assert compares
    assert [name for name in compares if patterns == [] or not once.search(name)] == []
