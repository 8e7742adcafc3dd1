"""Where everything lies below ``results/STUDY`` and ``reports/STUDY``."""

from dataclasses import dataclass
from pathlib import Path

from scalestudy.errors import StudyError
from scalestudy.records.files import is_there
from scalestudy.spec.run import Run

RESULTS = Path("results")
LEVELS = 4
"""Folders between a run's and its study's: runs, workload, scaling, cell."""


@dataclass(frozen=True)
class StudyPaths:
    """The files of one study."""

    results: Path
    """``results/STUDY``"""

    @property
    def study(self) -> Path:
        """The plan: every run of the study."""
        return self.results / "study.json"

    def run(self, run_id: str) -> "RunPaths":
        """The folder of a run."""
        return RunPaths(self.results / "runs" / run_id)

    @property
    def parity(self) -> Path:
        """Differences between strategies and the serial reference."""
        return self.results / "parity.json"

    def probe(self, layout: str) -> Path:
        """What the machine allows on a layout ``NxD``."""
        return self.results / "probe" / f"{layout}.json"

    @property
    def tables(self) -> Path:
        """The folder of the CSV tables."""
        return self.results / "tables"

    @property
    def collected(self) -> Path:
        """What the last analysis read of every run."""
        return self.results / "collected.jsonl"

    @property
    def report(self) -> Path:
        """Every number the report prints."""
        return self.results / "report.json"


def results_of(study: str) -> Path:
    """The results of a study by its name or by their own folder. Raises StudyError that names the studies there are."""
    folder = next((path for path in (Path(study), RESULTS / study) if _has_study(path)), RESULTS / study)
    if not folder.is_dir():
        known = sorted(path.name for path in RESULTS.glob("*") if _has_study(path))
        raise StudyError(f"{folder}: found no such study; planned here: {', '.join(known) or 'none yet'}")
    return folder


def _has_study(folder: Path) -> bool:
    paths = StudyPaths(folder)
    return is_there(paths.study) or is_there(paths.report)


@dataclass(frozen=True)
class RunPaths:
    """The files of one run."""

    folder: Path

    @classmethod
    def of(cls, results: Path, run: Run) -> "RunPaths":
        """The folder of this run below ``results/STUDY``."""
        return StudyPaths(results).run(run.id)

    @property
    def study(self) -> StudyPaths | None:
        """The study that the folder belongs to, by its place; None where there are not so many folders."""
        above = self.folder.resolve().parents
        return StudyPaths(above[LEVELS]) if len(above) > LEVELS else None

    @property
    def run(self) -> Path:
        """The run, whole."""
        return self.folder / "run.json"

    @property
    def result(self) -> Path:
        """What came of it."""
        return self.folder / "result.json"

    @property
    def checkpoints(self) -> Path:
        """Resumable state."""
        return self.folder / "checkpoints"

    @property
    def stop(self) -> Path:
        """Made by whoever wants the run to save and stop; taken away when that is done."""
        return self.folder / "stop"

    @property
    def ranks(self) -> Path:
        """Event lines, one file per rank."""
        return self.folder / "ranks"

    def events(self, rank: int) -> Path:
        """Event lines of one rank."""
        return self.ranks / f"rank{rank}.jsonl"
