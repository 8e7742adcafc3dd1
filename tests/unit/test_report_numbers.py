"""Numbers are written alike by the terminal, the figures and the PDF's template."""

import json

import pytest
import typst
from hypothesis import given, settings
from hypothesis import strategies as st

from scalestudy.analysis.language import ENGLISH, GERMAN
from scalestudy.analysis.wording import Wording
from scalestudy.report import numbers
from scalestudy.report.pdf import TEMPLATE

QUERY = b"""
#import "numbers.typ": *
#let rows = json(bytes(sys.inputs.rows))
#metadata(rows.map(row => (
  fixed(row.x, row.d), significant(row.x), percent(row.x), interval(row.x, row.x, row.d), interval(row.x, none, row.d),
  str(decimals-for((row.x,))),
))) <out>
"""
values = st.floats(-1e7, 1e7, allow_nan=False).map(lambda x: float(f"{x:.9g}")) | st.sampled_from(
    [0.0, 0.125, 0.5, -2.5, 1e-9, 2.675, 1.115, 2097152.45]  # some are ties, others come next to one when multiplied
)


def in_the_template(rows, language):
    inputs = {"rows": json.dumps([{"x": x, "d": decimals} for x, decimals in rows]), "language": language.code}
    found = typst.query(QUERY, "<out>", field="value", one=True, root=str(TEMPLATE), sys_inputs=inputs)
    return json.loads(found)


@pytest.mark.parametrize("value", [9.96e-15, 9.94e-15, 9.999e-5, 1e-14, 3.2e-310, 9.97e12, 0.0])
def test_the_template_writes_small_errors_as_sentences_do(value):
    query = b'#import "numbers.typ": scientific\n#metadata(scientific(float(sys.inputs.x))) <out>'
    found = typst.query(query, "<out>", field="value", one=True, root=str(TEMPLATE), sys_inputs={"x": repr(value)})
    assert json.loads(found) == Wording(ENGLISH).error(value)


@settings(max_examples=15)
@given(st.lists(st.tuples(values, st.integers(0, 5)), min_size=1, max_size=40), st.sampled_from([ENGLISH, GERMAN]))
def test_the_template_writes_numbers_as_python_does(rows, language):
    expected = [
        [
            numbers.fixed(x, decimals, language),
            numbers.significant(x, language),
            numbers.percent(x, language),
            numbers.interval(x, x, decimals, language),
            numbers.interval(x, None, decimals, language),
            str(numbers.decimals_for([x])),
        ]
        for x, decimals in rows
    ]
    assert in_the_template(rows, language) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234567.0, "1,234,567"),
        (30.664, "30.7"),
        (0.012345, "0.0123"),
        (-0.43, "\u22120.430"),
        (None, "\u2013"),
        (0.0, "0"),
        (0.00000012, "0.00000"),
    ],
)
def test_three_significant_digits_with_separators_and_a_real_minus(value, text):
    assert numbers.significant(value) == text


def test_a_column_takes_the_decimals_of_its_smallest_number():
    assert numbers.decimals_for([30.6, 2.68, None, 0.0]) == 2
    assert numbers.decimals_for([]) == 0


@pytest.mark.parametrize(
    ("value", "english", "german"),
    [
        (16384, "16,384", "16.384"),
        (1e6, "1,000,000", "1.000.000"),
        (0.25, "0.25", "0,25"),
        (-2.0, "\u22122", "\u22122"),
        (0.30000000000000004, "0.3", "0,3"),
        (1e-5, "1e\u221205", "1e\u221205"),
        (2e20, "2e+20", "2e+20"),
        (float("inf"), "inf", "inf"),
    ],
)
def test_an_axis_groups_thousands_and_has_no_digits_to_spare(value, english, german):
    assert (numbers.short(value), numbers.short(value, GERMAN)) == (english, german)


def test_an_interval_without_a_lower_end_is_a_dash_and_without_an_upper_one_open():
    assert numbers.interval(1.4567, 1.5234, 2) == "[1.46, 1.52]"
    assert numbers.interval(None, 1.5, 2) == numbers.interval(None, None, 2) == numbers.MISSING
    assert numbers.interval(3.0, None, 1) == "[3.0, ∞)"
