"""The PDF: report.json and the figures through Typst's compiler, which the `typst` package carries."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from scalestudy import __version__
from scalestudy.errors import StudyError
from scalestudy.records.files import read_text, write_bytes
from scalestudy.records.report import ReportData
from scalestudy.report.drawing import LOOKS, OTHER_LOOK, Drawing, looks_of
from scalestudy.report.printable import FONTS, fallback_folder, printable
from scalestudy.report.reasons import with_reasons
from scalestudy.report.run_facts import run_facts

TEMPLATE = Path(__file__).parent / "template"
STANDARDS = ["a-3a", "ua-1"]
"""Archivable, with attachments, and accessible."""

DRAWN = {"runs", "curves", "fit_curves"}
"""What the template does not print itself: figures are drawn from it, and run_facts has the runs."""


@dataclass(frozen=True)
class Manuscript:
    """What Typst sets: all of a report as texts, so that who sets it needs no models in memory."""

    study: str
    date: str
    """ISO day, or empty."""
    inputs: dict[str, str]


def write_manuscript(data: ReportData, figures: Sequence[Drawing], runs_csv: Path) -> Manuscript:
    """The report as texts. Raises StudyError in one line when runs.csv cannot be read."""
    return Manuscript(data.study, data.date, _inputs(data, figures, read_text(runs_csv)))


def write_pdf(manuscript: Manuscript, output: Path) -> None:
    """Set and write the report: whole or not at all, and with the same bytes for the same data.

    Raises StudyError in one line when Typst refuses or when the file cannot be written.
    """
    write_bytes(output, _set(manuscript, "pdf"))


def render_pages(data: ReportData, figures: Sequence[Drawing], runs: str, ppi: float) -> list[bytes]:
    """The pages as PNG pictures with so many pixels per inch."""
    pages = compile_report(data, figures, runs, "png", ppi=ppi)
    return pages if isinstance(pages, list) else [pages]


def svg_to_png(svg: bytes, ppi: float = 150) -> bytes:
    """A figure as a PNG picture with the fonts of the report. Raises StudyError when Typst refuses."""
    import typst

    try:
        picture: bytes = typst.compile(
            str(TEMPLATE / "picture.typ"),
            font_paths=_font_paths(),
            ignore_system_fonts=True,
            format="png",
            ppi=ppi,
            sys_inputs={"svg": svg.decode()},
        )
    except (typst.TypstError, RuntimeError, ValueError) as error:
        raise StudyError(f"a figure could not be made a picture: {error}") from error
    return picture


def compile_report(
    data: ReportData, figures: Sequence[Drawing], runs: str, form: Literal["pdf", "png"], **options: Any
) -> Any:
    """Compile the template. Raises StudyError with the first line of Typst's message."""
    return _set(Manuscript(data.study, data.date, _inputs(data, figures, runs)), form, **options)


def _set(manuscript: Manuscript, form: Literal["pdf", "png"], **options: Any) -> Any:
    """Compile the template. No text of the data is ever evaluated: all of it travels as JSON strings."""
    import typst

    if form == "pdf":
        options |= {"pdf_standards": STANDARDS, "timestamp": _day(manuscript.date)}
    try:
        return typst.compile(
            str(TEMPLATE / "report.typ"),
            root=str(TEMPLATE),
            font_paths=_font_paths(),
            ignore_system_fonts=True,
            format=form,
            sys_inputs=manuscript.inputs,
            **options,
        )
    except (typst.TypstError, RuntimeError, ValueError) as error:
        message = str(getattr(error, "message", error)).strip().splitlines() or ["no message"]
        raise StudyError(
            f"report.json of study {manuscript.study}: Typst could not set the report: {message[0]}"
        ) from error


def _font_paths() -> list[str]:
    return [str(FONTS), str(fallback_folder())]


def _inputs(data: ReportData, figures: Sequence[Drawing], runs: str) -> dict[str, str]:
    drawn = [
        {"name": figure.name, "form": figure.form, "svg": figure.svg.decode(), "alt": figure.alt} for figure in figures
    ]
    shown = with_reasons(printable(data))
    looks = {"other": OTHER_LOOK} | LOOKS | looks_of(shown.strategies)
    colors = {name: look.color for name, look in looks.items()}
    return {
        "data": shown.model_dump_json(exclude=DRAWN),
        "runs-of": json.dumps(run_facts(shown)),
        "source": data.model_dump_json(indent=1) + "\n",
        "figures": json.dumps(drawn),
        "colors": json.dumps(colors),
        "runs": runs,
        "language": data.words.language,
        "versions": json.dumps({"scalestudy": __version__, "matplotlib": version("matplotlib")}),
    }


def _day(iso: str) -> datetime:
    """Midnight UTC of the study's day, so that the clock never enters the file; the epoch where there is none."""
    try:
        day = datetime.fromisoformat(iso)
    except ValueError:
        return datetime.fromtimestamp(0, tz=UTC)
    return day.replace(tzinfo=UTC) if day.tzinfo is None else day.astimezone(UTC)
