"""collected.jsonl: what was read of every run, so that the next analysis reads only what is new.

The first line holds digests of the code that read and of the rest; then one line per run, its parts between tabs: a
header, the epochs, the phases as float64 columns in base64, the result without these. A run is read again when its
files changed, or the code that reads. Lines stay bytes: of a large study they are 100 MB, never needed as text.
"""

import base64
import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, make_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic_core import from_json, to_json

from scalestudy.analysis import (
    clocks,
    contradictions,
    device_columns,
    plain_ranks,
    planned,
    rank_epochs,
    rank_files,
    rank_lines,
    reading,
    soundness,
)  # fmt: skip
from scalestudy.analysis.device_columns import DeviceColumns
from scalestudy.analysis.planned import Planned
from scalestudy.analysis.reading import Reading, read_run
from scalestudy.errors import StudyError
from scalestudy.records import events, files, result
from scalestudy.records.files import read_bytes, write_bytes
from scalestudy.records.paths import RunPaths
from scalestudy.records.result import Epoch, Result

READERS = (
    clocks, contradictions, device_columns, plain_ranks, planned, rank_epochs, rank_files, rank_lines, reading,
    soundness, events, files, result,
)  # fmt: skip
CompactEpoch: Any = make_dataclass("CompactEpoch", tuple(Epoch.model_fields), slots=True)


@dataclass(frozen=True)
class Entry:
    """One line of the cache, not yet decoded."""

    stamp: str
    line: bytes


def load_cache(path: Path) -> dict[str, Entry]:
    """The entries by run; none where the file is missing, changed by anyone else, or written by other code."""
    try:
        content = read_bytes(path)
    except StudyError:
        return {}
    lines = io.BytesIO(content)
    head = lines.readline()
    if head != _head([memoryview(content)[len(head) :]]):
        return {}
    found = {}
    for line in lines:
        run, stamp, rest = line.split(b"\t", 2)
        found[run.decode()] = Entry(stamp.decode(), rest)
    return found


def save_cache(path: Path, entries: Mapping[str, Entry]) -> None:
    """Write all entries, whole or not at all. Raises StudyError when the disk refuses."""
    body = [part for run, entry in entries.items() for part in (f"{run}\t{entry.stamp}\t".encode(), entry.line)]
    write_bytes(path, _head(body), *body)


def stamp_of(folder: Path, planned: Planned) -> str | None:
    """What changes when the files of a run change; None when there is no result, which is looked for every time."""
    paths = RunPaths(folder)
    parts = [planned.digest]
    try:
        for path in (paths.result, paths.run, paths.ranks):
            status = path.stat()
            parts.append(f"{status.st_mtime_ns}-{status.st_size}-{status.st_ino}")
    except FileNotFoundError:
        if len(parts) == 1:
            return None
        parts.append("none")
    except OSError:
        return None
    return " ".join(parts)


def read_entries(folder: Path, runs: Iterable[Planned]) -> list[tuple[str, Entry]]:
    """Read runs below ``results/STUDY/runs``; each entry has the stamp that its files had before they were read.

    A run with something wrong has none, and is read again every time: its ranks may still be writing.
    """
    found = []
    for one in runs:
        stamp = stamp_of(folder / one.id, one)
        reading = read_run(folder / one.id, one)
        found.append((one.id, Entry(stamp if stamp and not reading.problems else "", encode(reading))))
    return found


def encode(reading: Reading) -> bytes:
    """A reading as one line."""
    found = reading.result
    header = {"reason": reading.reason, "flaw": reading.flaw, "problems": reading.problems}
    epochs = to_json([list(vars(epoch).values()) for epoch in found.epochs]) if found else b""
    phases = base64.b64encode(DeviceColumns.of(found.phases).to_bytes()) if found else b""
    text = found.model_dump_json(exclude={"epochs", "phases"}).encode() if found else b""
    return b"%s\t%s\t%s\t%s\n" % (json.dumps(header).encode(), epochs, phases, text)


def decode(line: bytes) -> Reading:
    """The reading of a line, its result with phases in columns and compact epochs."""
    head, rows, columns, text = line.rstrip(b"\n").split(b"\t")
    header = json.loads(head)
    found = Result.model_validate_json(text) if text else None
    if found is not None:
        epochs = [CompactEpoch(*values) for values in from_json(rows)]
        phases = DeviceColumns.from_bytes(base64.b64decode(columns))
        found = found.model_copy(update={"epochs": epochs, "phases": phases})
    return Reading(found, header["reason"], header["flaw"], tuple(header["problems"]))


def _head(body: Iterable[bytes | memoryview]) -> bytes:
    """The first line: the code that reads, and a digest of all the others."""
    digest = hashlib.blake2b()
    for part in body:
        digest.update(part)
    return f"{_code()} {digest.hexdigest()}\n".encode()


@cache
def _code() -> str:
    """Changes with the code that reads, so that its mistakes do not outlive it."""
    sources = [Path(module.__file__ or "") for module in READERS]
    text = b"".join(path.read_bytes() for path in (*sources, Path(__file__)))
    return hashlib.sha256(text).hexdigest()
