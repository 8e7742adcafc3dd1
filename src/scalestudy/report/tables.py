"""The CSV tables as pages of HTML, to be read in a browser. Nothing in a cell is ever markup."""

import csv
import html
from pathlib import Path

from scalestudy.records.files import read_text, write_text

STYLE = """
body { font: 13px/1.45 "Source Sans 3", "Segoe UI", Helvetica, Arial, sans-serif; color: #22242a; margin: 1.2rem; }
table { border-collapse: collapse; border-block: 1.5px solid #000; font-variant-numeric: tabular-nums; }
th { position: sticky; top: 0; background: #fff; text-align: left; border-bottom: 1px solid #000; }
th, td { padding: .2rem .6rem; vertical-align: top; max-width: 40rem; }
th { white-space: nowrap; }
td { min-width: min-content; overflow-wrap: break-word; }
tr:nth-child(even) td { background: #f5f6f8; }
td.number { text-align: right; white-space: nowrap; }
"""


def table_page(name: str, text: str) -> str:
    """One table as a page that needs nothing else; ``text`` is its CSV with one header line."""
    header, *rows = list(csv.reader(text.splitlines())) or [[]]
    title = html.escape(name)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n"
        f"<table><thead><tr>{''.join(f'<th>{html.escape(cell)}</th>' for cell in header)}</tr></thead>\n<tbody>\n"
        + "".join(f"<tr>{''.join(map(_cell, row))}</tr>\n" for row in rows)
        + f"</tbody></table>\n<p>{len(rows)} rows</p></body></html>\n"
    )


def _cell(text: str) -> str:
    """A number with at most six significant digits, its whole in the tooltip; any other text as it is."""
    try:
        value = float(text)
    except ValueError:
        return f"<td>{html.escape(text)}</td>"
    shown = text if text.lstrip("-").isdigit() else f"{value:.6g}"
    return f'<td class="number" title="{html.escape(text)}">{html.escape(shown)}</td>'


def write_table_pages(tables: Path, folder: Path) -> None:
    """Write a page for every CSV table of ``tables`` into ``folder``, and remove pages that no table has.

    Raises StudyError when a table cannot be read or a page cannot be written.
    """
    names = sorted(path.stem for path in tables.glob("*.csv"))
    for name in names:
        write_text(folder / f"{name}.html", table_page(name, read_text(tables / f"{name}.csv")))
    for page in folder.glob("*.html"):
        if page.stem not in names:
            page.unlink()
