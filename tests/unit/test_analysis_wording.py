"""Numbers in sentences: one unit and one number of decimals for a time and its interval, levels from one place."""

import pytest

from scalestudy.analysis.language import GERMAN
from scalestudy.analysis.wording import LEVELS, Wording
from scalestudy.records.report import Thresholds

WORDING = Wording()


@pytest.mark.parametrize(
    ("time_s", "text"),
    [
        (-2.5, "−2.50 s"),
        (-0.0025, "−2.50 ms"),
        (0.0038, "3.80 ms"),
        (0.0000354, "0.0354 ms"),
        (0.0, "0 ms"),
        (0.09994, "99.9 ms"),
        (0.09996, "0.100 s"),
        (0.1, "0.100 s"),
        (0.9921, "0.992 s"),
        (9.999, "10.00 s"),
        (-123.45, "−123.5 s"),
        (1234.5, "1,234 s"),
    ],
)
def test_a_time_has_its_unit_whatever_its_sign_and_keeps_its_zeros(time_s, text):
    assert WORDING.seconds(time_s) == text


@pytest.mark.parametrize(
    ("time_s", "low", "high", "value", "interval"),
    [
        (0.00369, 0.00357, 0.0038, "3.69 ms", "95% CI 3.57–3.80 ms"),
        (0.0998, 0.0995, 0.1001, "0.100 s", "95% CI 0.100–0.100 s"),
        (0.0354e-3, -3.16e-3, 3.23e-3, "0.04 ms", "95% CI −3.16 to 3.23 ms"),
        (0.05, -3.0, 0.2, "0.05 s", "95% CI −3.00 to 0.20 s"),
        (0.0306, -0.000213, 0.0615, "30.6 ms", "95% CI −0.2 to 61.5 ms"),
        (3.37, 1.91, 7.72, "3.37 s", "95% CI 1.91–7.72 s"),
        (3.37, None, None, "3.37 s", "no interval"),
        (0.003, 2e-6, 0.004, "3.000 ms", "95% CI 0.002–4.000 ms"),
        (0.003, -2e-6, 0.004, "3.000 ms", "95% CI −0.002 to 4.000 ms"),
    ],
)
def test_a_time_and_its_interval_have_one_unit_and_one_number_of_decimals(time_s, low, high, value, interval):
    assert WORDING.seconds(time_s, low, high) == value
    assert WORDING.seconds_interval(time_s, low, high) == interval


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.9, 0.997, "95% CI 0.900–0.997"),
        (1.003, 1.1, "95% CI 1.003–1.100"),
        (1.0, 1.1, "95% CI 1.00–1.10"),
        (0.99999999, 1.1, "95% CI 1.00000–1.10000"),
        (3.1, 3.32, "95% CI 3.10–3.32"),
    ],
)
def test_an_end_of_an_interval_of_a_factor_is_not_written_as_one_unless_it_is(low, high, text):
    assert WORDING.factor_interval(low, high) == text


@pytest.mark.parametrize(
    ("factor", "low", "high", "value", "interval"),
    [
        (1.006, 1.0042, 1.0078, "1.006×", "95% CI 1.004–1.008"),
        (1.0042, 0.9, 1.2, "1.00×", "95% CI 0.90–1.20"),
        (12.36, 12.34, 12.38, "12.36×", "95% CI 12.34–12.38"),
        (1.0042, None, None, "1.00×", "no interval"),
    ],
)
def test_a_factor_and_its_interval_have_one_number_of_decimals(factor, low, high, value, interval):
    assert WORDING.times(factor, low, high) == value
    assert WORDING.factor_interval(low, high) == interval


def test_an_end_of_an_interval_of_accuracies_is_not_written_as_the_margin_unless_it_is():
    assert WORDING.points_interval(-0.01004, 0.01, 0.01) == "90% CI −1.004 to +1.000"
    assert WORDING.points_interval(-0.0043, 0.009996, 0.01) == "90% CI −0.4300 to +0.9996"
    assert WORDING.points(0.0101, 0.01, -0.0043, 0.009996) == "+1.0100"
    assert WORDING.points(0.01004, 0.01) == "+1.00"


@pytest.mark.parametrize(
    ("value", "text"), [(4.53e-13, "4,5·10⁻¹³"), (9.96e-10, "1,0·10⁻⁹"), (0.0, "0"), (250.0, "2,5·10²")]
)
def test_a_small_error_is_written_as_in_the_tables(value, text):
    assert Wording(GERMAN).error(value) == text


def test_the_level_of_an_interval_is_that_of_the_report(monkeypatch):
    levels = Thresholds(interval=0.975, difference_interval=0.8)
    assert (LEVELS.interval, LEVELS.difference_interval) == (0.95, 0.9)
    monkeypatch.setattr("scalestudy.analysis.wording.LEVELS", levels)
    assert WORDING.factor_interval(1.5, 2.0) == "97.5% CI 1.50–2.00"
    assert WORDING.points_interval(-0.01, 0.002, 0.01) == "80% CI −1.00 to +0.20"
    assert Wording(GERMAN).factor_interval(1.5, 2.0) == "97,5-%-KI 1,50–2,00"
