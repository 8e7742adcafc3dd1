"""The executor stays small: what reads it in an hour can mend it."""

import ast
import io
import tokenize
from pathlib import Path

import snakemake_executor_plugin_submitit

BOUND = 516
NO_CODE = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)


def code_lines(text: str) -> int:
    """Lines that are neither blank, nor comment, nor docstring."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    lines = {line for one in tokens if one.type not in NO_CODE for line in range(one.start[0], one.end[0] + 1)}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def test_lines_of_code_are_counted_without_blanks_comments_and_docstrings() -> None:
    assert code_lines('"""A\n\nB"""\n\n# c\nx = 1  # d\ny = """e\nf"""\n') == 3


def test_the_executor_has_no_more_lines_of_code_than_its_bound() -> None:
    folder = Path(snakemake_executor_plugin_submitit.__file__).parent
    assert sum(code_lines(path.read_text()) for path in folder.glob("*.py")) <= BOUND
