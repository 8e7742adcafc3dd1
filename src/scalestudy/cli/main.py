"""``scalestudy COMMAND``: arguments, and errors as single lines."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scalestudy import __version__
from scalestudy.cli import commands
from scalestudy.errors import StudyError

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130


@dataclass(frozen=True)
class Command:
    """One command: what it does, its arguments, and the function that does it."""

    summary: str
    arguments: tuple[tuple[tuple[str, ...], dict[str, object]], ...]
    work: Callable[[argparse.Namespace], int]


def _argument(*names: str, **settings: object) -> tuple[tuple[str, ...], dict[str, object]]:
    return names, settings


def _positive(kind: type[int] | type[float]) -> Callable[[str], float]:
    """A number above 0 on the command line."""

    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = kind(0)
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"found {text}; must be a {'whole ' if kind is int else ''}number above 0")
        return value

    return read


CONFIG = _argument("--config", type=Path, default=Path("config.yaml"), help="the configuration (default: config.yaml)")
STUDY = _argument("--study", help="the study (default: the one that the configuration names)")
PLANNED = _argument("study", type=Path, metavar="study.json", help="the planned study, as `plan` wrote it")
RECORD_FAILURE = _argument(
    "--record-failure",
    action="store_true",
    help="when it fails, write that into its record and exit with 0, so that a study goes on",
)

COMMANDS = {
    "check": Command("say what is wrong with a configuration, or what it plans here", (CONFIG, STUDY), commands.check),
    "plan": Command(
        "write study.json and the run.json of every run",
        (
            CONFIG,
            STUDY,
            _argument("--results", type=Path, default=Path("results"), help="default: results"),
            _argument("--cluster", action="store_true", help="for the nodes that the key cluster describes"),
        ),
        commands.plan,
    ),
    "image": Command(
        "build or take the image that the study runs in (container in config.yaml), and record it",
        (CONFIG, _argument("record", type=Path, metavar="image.json", help="where the record goes")),
        commands.image,
    ),
    "inside": Command(
        "run a command inside the image of a study, as the workflow does",
        (
            _argument("--online", action="store_true", help="let it use the network, for downloads"),
            _argument(
                "--see",
                type=Path,
                action="append",
                default=[],
                metavar="FILE",
                help="a file that it reads, which need not be in the study's folder",
            ),
            _argument("image", type=Path, metavar="image.json", help="what `image` wrote"),
            _argument(
                "command_inside", nargs=argparse.REMAINDER, metavar="COMMAND", help="such as: scalestudy train run.json"
            ),
        ),
        commands.inside,
    ),
    "data": Command(
        "prepare a data set: download or read it, check it, write it as arrays",
        (CONFIG, _argument("key", help="folder name below prepared/, as run.json's data_folder has it")),
        commands.data,
    ),
    "train": Command(
        "train one run; started again after an interruption, it goes on where it was",
        (
            _argument("run", type=Path, help="the run.json"),
            _argument("--again", action="store_true", help="train it anew, even where it completed before"),
            RECORD_FAILURE,
        ),
        commands.train,
    ),
    "parity": Command(
        "check that every strategy computes what serial training computes, in float64",
        (PLANNED,),
        commands.parity,
    ),
    "probe": Command(
        "measure what the machine allows on a layout of the study: independent trainings at once, messages, ceilings",
        (PLANNED, _argument("layout", help="nodes x devices per node, such as 1x2"), RECORD_FAILURE),
        commands.probe,
    ),
    "repeats": Command(
        "write which runs adaptive repeats want, from the results so far",
        (PLANNED, _argument("wanted", type=Path, metavar="wanted.txt", help="one run per line")),
        commands.repeats,
    ),
    "analyze": Command("make tables/*.csv and report.json from the runs", (PLANNED,), commands.analyze),
    "report": Command(
        "typeset the PDF report, its figures, and the tables as pages",
        (
            _argument("report", type=Path, metavar="report.json", help="what `analyze` wrote"),
            _argument("pdf", type=Path, metavar="report.pdf", help="where it goes; figures/ and tables/ beside it"),
        ),
        commands.report,
    ),
    "figure": Command(
        "draw one figure of a report again",
        (
            _argument("name", help="name of the figure, such as scaling-epoch"),
            _argument("report", type=Path, metavar="report.json", help="what `analyze` wrote"),
            _argument("output", type=Path, metavar="FILE", help="where it goes: .svg or .png"),
        ),
        commands.figure,
    ),
    "doctor": Command(
        "check whether studies can run here and on the cluster's nodes, with a job of seconds; exit code 1 if not",
        (
            CONFIG,
            _argument("--profile", type=Path, metavar="FOLDER", help="of Snakemake (default: slurm, if it is there)"),
            _argument("--partition", help="default: slurm_partition of the profile, else the cluster's own default"),
            _argument("--account", help="default: slurm_account of the profile"),
            _argument("--wait", type=int, default=120, metavar="SECONDS", help="for free nodes (default: 120)"),
            _argument("options", nargs="*", help="options of srun, after --: such as -- --gres=gpu:1 --qos=debug"),
        ),
        commands.doctor,
    ),
    "compare": Command(
        "compare two studies; exit code 1 when a cell is slower in the second, 3 when one is missing there, 4 when one "
        "cannot be judged",
        (
            _argument("first", help="a study by name, its folder, or a report.json: what is compared with"),
            _argument("second", help="likewise: what is judged"),
        ),
        commands.compare,
    ),
    "predict": Command(
        "predict step time and efficiency on more devices, from what a finished study measured",
        (
            CONFIG,
            _argument("study", nargs="?", help="its name or folder (default: the one that the configuration names)"),
            _argument("--devices", type=_positive(int), required=True, help="on how many devices in all"),
            _argument("--link-gbps", type=_positive(float), help="bandwidth of a link, Gbit/s (default: as probed)"),
            _argument("--latency-us", type=_positive(float), help="latency of a message (default: as probed)"),
        ),
        commands.predict,
    ),
    "retry": Command(
        "forget the results of failed runs, so that the next run of the workflow trains them again",
        (
            CONFIG,
            _argument("study", nargs="?", help="name of the study (default: the one that the configuration names)"),
        ),
        commands.retry,
    ),
    "show": Command(
        "print the speedup and efficiency tables, also while runs are still coming in",
        (
            CONFIG,
            _argument("study", nargs="?", help="name of the study (default: the one that the configuration names)"),
            _argument("--headline", action="store_true", help="only the headline figures and where the report is"),
        ),
        commands.show,
    ),
}


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="scalestudy",
        description="Does parallel training pay off here? Train one workload serially and in parallel, and measure.",
        epilog="The whole study runs with `snakemake --cores all`; these are its steps.",
    )
    top.add_argument("--version", action="version", version=f"scalestudy {__version__}")
    subparsers = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        sub = subparsers.add_parser(name, help=command.summary, description=command.summary)
        for names, settings in command.arguments:
            sub.add_argument(*names, **settings)  # type: ignore[arg-type]
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. Exit codes: 0 done, 2 something the user can mend, 75 saved and stopped, 130 interrupted."""
    top = parser()
    if not (sys.argv[1:] if arguments is None else arguments):
        top.print_help(sys.stderr)
        return EXIT_ERROR
    parsed = top.parse_args(arguments)
    sys.path.insert(0, str(Path.cwd()))  # a user's own models and data sets
    try:
        return COMMANDS[parsed.command].work(parsed)
    except StudyError as error:
        for line in str(error).splitlines():
            print(f"scalestudy {parsed.command}: {line}", file=sys.stderr)
        return EXIT_ERROR
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader of our output is gone, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
