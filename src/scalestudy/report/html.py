"""Snakemake's HTML report, made when a study has come to its end: evidence beside the PDF, in one file."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

SECONDS = 300
"""The HTML report is given up after so long."""


def make_html(folder: Path, workflow_options: Sequence[str]) -> None:
    """Collect report, figures and tables with their origin in ``folder/report.html``, unless it is newer than the PDF.

    ``workflow_options``: what tells Snakemake which study it is. A failure is said in one line and spoils no study.
    """
    pdf, html = folder / "report.pdf", folder / "report.html"
    if not pdf.exists() or (html.exists() and html.stat().st_mtime > pdf.stat().st_mtime):
        return
    command = [sys.executable, "-m", "snakemake", "--nolock", "--quiet", "all", "--report", str(html)]
    try:
        made = subprocess.run(
            [*command, *workflow_options], capture_output=True, text=True, timeout=SECONDS, check=False
        )
        said = "" if made.returncode == 0 else (made.stderr.strip().splitlines() or ["no message"])[-1]
    except subprocess.TimeoutExpired:
        said = f"not made within {SECONDS} s"
    if said:
        print(f"{html}: not made: {said}", file=sys.stderr)
