"""Pages look like the reference pictures. After an intended change: ``python tests/unit/test_report_pages.py``."""

import io
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS))
import report_data  # noqa: E402
from page_pictures import ALLOWED, ALLOWED_IN_BLOCK, difference, largest_in_block  # noqa: E402
from synthetic_study import make_study  # noqa: E402

from scalestudy.analysis.analyze import report_data as analyzed  # noqa: E402
from scalestudy.analysis.collect import collect  # noqa: E402
from scalestudy.report.figures import draw_figures  # noqa: E402
from scalestudy.report.pdf import render_pages  # noqa: E402
from scalestudy.report.printable import printable  # noqa: E402
from scalestudy.spec.config import ReportSpec  # noqa: E402


def ruled():
    """A small study in German through the real analysis, whose rules write its sentences."""
    with tempfile.TemporaryDirectory() as folder:
        return analyzed(collect(make_study(Path(folder), words=ReportSpec(language="de", title="Studie")).results))


REFERENCE = TESTS / "reference"
SHAPES = {
    "laptop": report_data.laptop,
    "hostile": report_data.hostile,
    "single": report_data.single,
    "whole": report_data.whole,
    "ruled": ruled,
}
PIXELS_PER_INCH = 40


def pages_of(name):
    data = SHAPES[name]()
    pages = render_pages(data, draw_figures(printable(data)), "run\n", PIXELS_PER_INCH)
    return [Image.open(io.BytesIO(page)).convert("L") for page in pages]


@pytest.mark.parametrize("name", SHAPES)
def test_pages_look_like_the_reference(name):
    pages = pages_of(name)
    references = sorted(REFERENCE.glob(f"{name}-*.png"))
    assert len(pages) == len(references)
    for page, path in zip(pages, references, strict=True):
        reference = Image.open(path).convert("L")
        assert page.size == reference.size
        assert difference(page, reference) < ALLOWED, path.name
        assert largest_in_block(page, reference) < ALLOWED_IN_BLOCK, path.name


@pytest.mark.parametrize("name", ["hostile", "laptop", "whole"])
def test_nothing_reaches_into_the_margins(name):
    data = getattr(report_data, name)()
    margin = int(22 / 25.4 * PIXELS_PER_INCH)
    for page in render_pages(data, draw_figures(printable(data)), "run\n", PIXELS_PER_INCH):
        gray = np.asarray(Image.open(io.BytesIO(page)).convert("L"))
        assert gray[:, -margin:].min() == 255
        assert gray[:, :margin].min() == 255


def test_the_comparison_tells_pages_apart():
    references = [Image.open(path).convert("L") for path in sorted(REFERENCE.glob("laptop-*.png"))]
    for first, second in pairwise(references):
        assert difference(first, second) > 2 * ALLOWED


def test_a_line_of_text_that_is_gone_is_found():
    page = Image.open(REFERENCE / "laptop-01.png").convert("L")
    gray = np.asarray(page).copy()
    ink = (gray[:, 40:-40] < 200).sum(axis=1)
    line = int(ink[len(ink) // 3 :].argmax()) + len(ink) // 3  # in the middle of the fullest line of text
    gray[line - 4 : line + 5] = 255
    assert difference(page, gray) < ALLOWED
    assert largest_in_block(page, gray) > ALLOWED_IN_BLOCK


if __name__ == "__main__":
    REFERENCE.mkdir(exist_ok=True)
    for old in REFERENCE.glob("*.png"):
        old.unlink()
    for shape in SHAPES:
        for number, picture in enumerate(pages_of(shape), start=1):
            coarse = picture.point(lambda gray: min(255, (gray + 4) // 8 * 8))  # smaller files
            coarse.save(REFERENCE / f"{shape}-{number:02d}.png", optimize=True)
