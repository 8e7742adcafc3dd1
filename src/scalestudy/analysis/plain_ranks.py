"""Tells rank files that are as the trainer writes them, without parsing: of 640,000 in a large study nearly all are.

Files of the same lines differ in digits alone, the first line apart. What is left of a file without its digits is
compared with what a close look (rank_files.py) found nothing wrong in; then the numbers that have to agree, times and
epochs, are taken from all files of a run at once. Only a digit inside a word escapes this.
"""

import json
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalestudy.analysis.clocks import STALL_S, evaluation_agrees, training_agrees
from scalestudy.analysis.planned import Planned
from scalestudy.analysis.rank_epochs import CLOSE_S
from scalestudy.records.events import SCHEMA_VERSION
from scalestudy.records.result import Epoch

MOST_IN_LINE = 300
"""Longer lines may hold numbers that are none: of hundreds of digits."""
MOST_PATTERNS = 1000
EPOCH, EVALUATION = b"epoch", b"evaluation"
_DIGITS = b"0123456789"
_WORD, _COUNT = rb'[^"\\\x00-\x1f]*', rb"(?:0|[1-9][0-9]{0,17})"
_START = re.compile(
    rb'\{"event": "start", "time": ([1-9][0-9]{9}\.[0-9]+), "run": "(%s)", "digest": "(%s)", "rank": (%s), '
    rb'"ranks": (%s), "host": "%s", "pid": %s(?:, "schema_version": %d)?\}\n'
    % (_WORD, _WORD, _COUNT, _COUNT, _WORD, _COUNT, SCHEMA_VERSION)
)
_LINE = re.compile(rb'\{"event": "([a-z]+)", "time": [0-9]+\.[0-9]+(?:, "epoch": [0-9]+)?, .*\}\n')
_EPOCH_TIME = re.compile(rb'"time_s": [0-9]+\.[0-9]+\}\n')
_STAMP = len("1795000000.00")
_STAMP_WEIGHTS = np.array([*10.0 ** np.arange(9, -1, -1), 0, 0.1, 0.01])
_NUMBER = len(', "epoch": ')
_TAIL = 24
"""Characters before the end of a line that hold the point of its last number."""
_ACCURACY = len('"test_accuracy": ') + 24
"""Most characters at the end of an evaluation's line that its accuracy takes, its name included."""
_WEIGHTS = np.array([0, *10.0 ** np.arange(5, -1, -1), 0, 0.1, 0.01])
_SLACK_S = 0.02
"""Of a difference of times of which two decimals are read."""
Numbers = NDArray[np.float64]
Places = NDArray[np.int64]
Characters = NDArray[np.uint8]


class Pattern(NamedTuple):
    """The lines after the first of a file with nothing wrong."""

    stamps: Places
    """How many characters into each line its time begins."""
    epochs: Places
    """Which lines are epochs; the next line is the epoch's evaluation, and behind the last of these is the end."""


_PATTERNS: dict[bytes, Pattern] = {}
"""By what is left of such a file without its first line and its digits."""


class PlainRanks:
    """What the files of one run have to hold; ``epochs`` are those of its result."""

    def __init__(self, planned: Planned, epochs: Sequence[Epoch]) -> None:
        self._run, self._digest = json.dumps(planned.id)[1:-1].encode(), planned.digest.encode()
        self._ranks = planned.ranks
        self._times_s = np.array([epoch.time_s for epoch in epochs], dtype=np.float64)
        self._evaluations_s = np.array([epoch.evaluation_s for epoch in epochs], dtype=np.float64)
        lines = [f'"test_accuracy": {epoch.test_accuracy!r}}}'.encode().rjust(_ACCURACY, b"\0") for epoch in epochs]
        self._accuracies = np.frombuffer(b"".join(lines), dtype=np.uint8).reshape(len(epochs), _ACCURACY)

    def holds(self, contents: Sequence[bytes]) -> bool:
        """Whether these are the contents of all ranks in order, each one uninterrupted run with nothing wrong."""
        starts = [_START.match(content) for content in contents]
        begun = np.empty(len(contents))
        for rank, found in enumerate(starts):
            wanted = (self._run, self._digest, b"%d" % rank, b"%d" % self._ranks)
            if found is None or found.group(2, 3, 4, 5) != wanted:
                return False
            begun[rank] = float(found[1])
        bodies = [content[found.end() :] for content, found in zip(contents, starts, strict=True) if found]
        joined = b"".join(bodies)
        bare = joined.translate(None, _DIGITS)
        size = len(bare) // len(bodies)
        pattern = _PATTERNS.get(bare[:size])
        if pattern is None or bare != bare[:size] * len(bodies):
            return False
        text = np.frombuffer(joined, dtype=np.uint8)
        ends, lines = np.flatnonzero(text == ord("\n")), len(pattern.stamps)
        files = np.cumsum([len(body) for body in bodies])
        if np.diff(ends, prepend=-1).max() > MOST_IN_LINE:
            return False
        # Each file has all lines of the pattern, and none of its neighbour.
        return np.array_equal(ends[lines - 1 :: lines] + 1, files) and self._agrees(text, ends, pattern, begun)

    def learn(self, content: bytes) -> None:
        """Take a file with nothing wrong as the pattern for others, if it is of a run that was not interrupted."""
        start = _START.match(content)
        if start is None or len(_PATTERNS) >= MOST_PATTERNS:
            return
        body = content[start.end() :]
        lines = body.splitlines(keepends=True)
        found = [_LINE.fullmatch(line) for line in lines]
        names = [line[1] for line in found if line]
        epochs = [place for place, name in enumerate(names) if name == EPOCH]
        if len(names) < len(lines) or b"start" in names or not all(_EPOCH_TIME.search(lines[one]) for one in epochs):
            return
        if not epochs or len(names) != epochs[-1] + 3 or any(names[place + 1] != EVALUATION for place in epochs):
            return
        _PATTERNS[body.translate(None, _DIGITS)] = Pattern(
            stamps=np.array([len(b'{"event": "", "time": ' + name) for name in names], dtype=np.int64),
            epochs=np.array(epochs, dtype=np.int64),
        )

    def _agrees(self, text: Characters, ends: Places, pattern: Pattern, begun: Numbers) -> bool:
        """Whether epochs follow each other as the result has them, and no clock jumps; ``ends`` are those of lines."""
        places = np.concatenate([[0], ends[:-1] + 1]) + np.tile(pattern.stamps, len(begun))
        times, shape = _times(text, places), (len(begun), -1)
        if times is None or len(pattern.epochs) != len(self._times_s):
            return False
        times, places, ends = times.reshape(shape), places.reshape(shape), ends.reshape(shape)
        epochs, evaluations = pattern.epochs, pattern.epochs + 1
        spent = _last_numbers(text, ends[:, epochs] - 1)
        if spent is None or np.any(times[:, 0] < begun - _SLACK_S) or np.any(np.diff(times, axis=1) < 0):
            return False
        numbers = np.arange(len(epochs)).repeat(2)
        told = np.stack([epochs, evaluations], axis=1).ravel()
        trained_s, evaluated_s = times[:, epochs] - times[:, epochs - 1], times[:, evaluations] - times[:, epochs]
        agree = (
            _epochs(text, places[:, told]) == numbers,
            training_agrees(trained_s[:, 1:], spent[:, 1:], slack_s=-_SLACK_S),  # a start-up may take any time
            evaluation_agrees(evaluated_s, self._evaluations_s, slack_s=-_SLACK_S),
            times[:, -1] - times[:, -2] <= STALL_S - _SLACK_S,
            self._are_the_times(spent.max(axis=0)),
            self._are_the_accuracies(text, ends[:, evaluations]),
        )
        return all(map(np.all, agree))

    def _are_the_times(self, slowest_s: Numbers) -> NDArray[np.bool_]:
        """Whether the slowest ranks' times, of two decimals and so up to 0.01 s too short, are those of the result."""
        return (slowest_s <= self._times_s + CLOSE_S - 0.01) & (slowest_s >= self._times_s - CLOSE_S)

    def _are_the_accuracies(self, text: Characters, ends: Places) -> NDArray[np.bool_]:
        """Whether the lines that end at these places end with the accuracies of the result."""
        found = _window(text, ends - _ACCURACY, _ACCURACY)
        same: NDArray[np.bool_] = (found == self._accuracies) | (self._accuracies == 0)
        return same


def _window(text: Characters, places: Places, width: int) -> Characters:
    """So many characters from each place on."""
    windows = np.ndarray(len(text) - width + 1, f"V{width}", text, strides=(1,))  # overlap; one copy takes a whole one
    taken: Characters = windows[places.ravel().clip(0, len(windows) - 1)].view(np.uint8)
    return taken.reshape(*places.shape, width)


def _digits(text: Characters) -> Characters:
    """The values of digits; above 9 for all other characters."""
    return text - np.uint8(ord("0"))


def _times(text: Characters, places: Places) -> Numbers | None:
    """Unix times of ten digits and two decimals at these places; None where any is not written so."""
    found = _window(text, places, _STAMP)
    digits = _digits(found)
    points, hundredths = found[:, 10], digits[:, 12]
    if np.any(points != ord(".")):
        return None
    digits[:, 10] = 0
    hundredths[hundredths > 9] = 0  # the last decimals may be missing
    if digits.max(initial=0) > 9:
        return None
    times: Numbers = digits.astype(np.float64) @ _STAMP_WEIGHTS
    return times


def _epochs(text: Characters, stamps: Places) -> Places:
    """The epoch in each of the lines whose times begin at ``stamps``; -1 where none stands there."""
    after = stamps + _STAMP - 1  # of six decimals all but one may be missing
    places = after + (_window(text, after, 6) == ord(",")).argmax(axis=-1) + _NUMBER
    digits = _digits(_window(text, places, 6)).astype(np.int64)
    numbers = digits[..., 0]
    going = numbers <= 9
    numbers = np.where(going, numbers, -1)
    for column in range(1, 6):
        going = going & (digits[..., column] <= 9)
        if not going.any():
            break
        numbers = np.where(going, 10 * numbers + digits[..., column], numbers)
    return numbers


def _last_numbers(text: Characters, ends: Places) -> Numbers | None:
    """The number before each of these places, of at most six digits and two decimals that are read; None where any is
    not written so. That it is digits around one point the pattern says, and what is no digit stands before it."""
    points = _window(text, ends - _TAIL, _TAIL) == ord(".")
    places = ends - 1 - points[..., ::-1].argmax(axis=-1)  # the last one: another number may stand close before
    found = _window(text, places - 7, 10)
    digits = _digits(found)
    if np.any(found[..., 7] != ord(".")) or np.any(digits[..., 0] <= 9):
        return None
    numbers: Numbers = np.where(digits > 9, 0, digits).astype(np.float64) @ _WEIGHTS
    return numbers
