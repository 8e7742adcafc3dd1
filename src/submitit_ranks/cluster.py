"""Where jobs run: what all kinds of clusters have in common, which is submitit's way of submitting and its files."""

import pickle
import signal
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

from submitit_ranks import rank
from submitit_ranks.ending import JobState


class Cluster(ABC):
    """Jobs of one folder, in which submitit keeps its files."""

    name: ClassVar[str]
    """As submitit calls it."""
    ends: ClassVar[str]
    """The command that ends jobs by their ids."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def submit(self, tasks: Sequence[rank.Task]) -> list[Any]:
        """Submit alike tasks together; submitit's jobs, in the same order. Raises NotSubmitted."""
        import cloudpickle
        from submitit.core import plugins

        cloudpickle.register_pickle_by_value(rank)  # nodes then need submitit, not this package
        executor = plugins.get_executors()[self.name](self.folder)
        executor.update_parameters(**tasks[0].parameters[self.name])

        def submit() -> list[Any]:
            with executor.batch():
                return [executor.submit(task) for task in tasks]

        # In a thread, so that Ctrl-C waits until what is being submitted can be seen, and cancelled. Without SIGINT,
        # which a terminal sends also to what is started there.
        with ThreadPoolExecutor(1, "", signal.pthread_sigmask, (signal.SIG_BLOCK, {signal.SIGINT})) as thread:
            return thread.submit(submit).result()

    @abstractmethod
    def states(self, names: Iterable[str]) -> dict[str, JobState] | None:
        """What is known of these jobs, and of others, by id; None when there is no answer."""

    @abstractmethod
    def cancel(self, ids: Sequence[str]) -> None:
        """Cancel jobs; raises OSError or SubprocessError."""

    def files(self) -> dict[str, Path]:
        """Submitit's file of every job whose end nobody saw, by id."""
        return {path.name.removesuffix("_submitted.pkl"): path for path in self.folder.glob("*_submitted.pkl")}

    @staticmethod
    def task(file: Path) -> rank.Task:
        """What the job of a file runs; raises whatever there is to raise of one that another version wrote."""
        found: rank.Task = pickle.loads(file.read_bytes()).function
        return found

    def forget(self, name: str) -> None:
        """Delete what submitit keeps of a job, but for its logs: its end has been seen."""
        for path in self.folder.glob(f"{name}_*.pkl"):
            path.unlink()
