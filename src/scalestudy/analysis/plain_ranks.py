"""Tells rank files that are as the trainer writes them, without parsing: of 640,000 in a large study nearly all are.

Files of the same lines differ in digits alone, the first line apart. What is left of a file without its digits is
compared with what a close look (rank_files.py) found nothing wrong in, and as many numbers must stand in it; then the
numbers that have to agree, times and epochs, are taken from all files of a run at once. Only a digit inside a word
escapes this.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalestudy.analysis.clocks import STALL_S, evaluation_agrees, training_agrees
from scalestudy.analysis.planned import Planned
from scalestudy.analysis.rank_epochs import CLOSE
from scalestudy.records.events import SCHEMA_VERSION
from scalestudy.records.result import Epoch

MOST_BETWEEN = 200
"""Characters between two marks; more may hold numbers that are none: of hundreds of digits."""
MOST_PATTERNS = 1000
EPOCH, EVALUATION = b"epoch", b"evaluation"
_DIGITS = b"0123456789"
_WORD, _COUNT = rb"[ !#-\[\]-~]*", rb"(?:0|[1-9][0-9]{0,17})"
_START = re.compile(
    rb'\{"event": "start", "time": ([1-9][0-9]{9}\.[0-9]+), "run": "(%s)", "digest": "(%s)", "rank": (%s), '
    rb'"ranks": (%s), "host": "%s", "pid": %s(?:, "schema_version": %d)?\}\n'
    % (_WORD, _WORD, _COUNT, _COUNT, _WORD, _COUNT, SCHEMA_VERSION)
)
_LINE = re.compile(rb'\{"event": "([a-z]+)", "time": [0-9]+\.[0-9]+(?:, "epoch": [0-9]+)?, .*\}\n')
_EPOCH_TIME = re.compile(rb'"time_s": [0-9]+\.[0-9]+\}\n')
_WHOLE = 10
"""Digits before a point that are read: of a Unix time all, and no other number stands as close before a ``time_s``."""
_DECIMALS = 6
"""At most, of a Unix time."""
_WEIGHTS = np.array([0, *10.0 ** np.arange(_WHOLE - 1, -1, -1), 0, 0.1, 0.01])
_FINE = np.array([*_WEIGHTS, *10.0 ** np.arange(-3, -7, -1)])
"""For times of epochs, which may take milliseconds: six decimals."""
_SLACK_S = 0.02
"""Of a difference of times of which two decimals are read."""
Numbers = NDArray[np.float64]
Places = NDArray[np.int64]
Characters = NDArray[np.uint8]


class Pattern(NamedTuple):
    """The lines after the first of a file with nothing wrong; what is read in them by its place among the marks."""

    epochs: Places
    """Which lines are epochs; the next line is the epoch's evaluation, and behind the last of these is the end."""
    points: Places
    """Of the times of all lines, then of the ``time_s`` of epochs."""
    evaluation_ends: Places
    digits: int
    """How many times digits begin."""


_PATTERNS: dict[bytes, Pattern] = {}
"""By what is left of such a file without its first line and its digits."""


class PlainRanks:
    """What the files of one run have to hold; ``epochs`` are those of its result."""

    def __init__(self, planned: Planned, epochs: Sequence[Epoch]) -> None:
        run, ranks = json.dumps(planned.id)[1:-1].encode(), planned.ranks
        own = (run, planned.digest.encode(), b"%d" % ranks)
        run_ids, digests, counts = ((text,) * ranks for text in own)
        self._starts = [run_ids, digests, _texts(ranks), counts]
        self._times_s = np.array([epoch.time_s for epoch in epochs], dtype=np.float64)
        written = [repr(epoch.time_s) for epoch in epochs]
        self._before_points = np.array([len(time_s.partition(".")[0]) for time_s in written], dtype=np.int64)
        self._slowest = _rows((f"{time_s}}}\n".encode() for time_s in written), bytes.ljust)
        self._evaluations_s = np.array([epoch.evaluation_s for epoch in epochs], dtype=np.float64)
        accuracies = (f'"test_accuracy": {epoch.test_accuracy!r}}}'.encode() for epoch in epochs)
        self._accuracies = _rows(accuracies, bytes.rjust)
        self._numbers = _numbers_of(len(epochs))

    def holds(self, contents: Sequence[bytes]) -> bool:
        """Whether these are the contents of all ranks in order, each one uninterrupted run with nothing wrong."""
        starts = [found for content in contents if (found := _START.match(content))]
        if len(starts) < len(contents):
            return False
        begun, *said = zip(*(start.groups() for start in starts), strict=True)
        if said != self._starts:
            return False
        bodies = [content[start.end() :] for content, start in zip(contents, starts, strict=True)]
        joined = b"".join(bodies)
        bare = joined.translate(None, _DIGITS)
        size = len(bare) // len(bodies)
        pattern = _PATTERNS.get(bare[:size])
        if pattern is None or bare != bare[:size] * len(bodies):
            return False
        text = np.frombuffer(joined, dtype=np.uint8)
        places = _marks(text)
        if (places[1:] - places[:-1]).max() > MOST_BETWEEN:
            return False
        marks = places.reshape(len(bodies), -1)  # digits apart the files are the same, and so are their marks
        # Each file has all lines of the pattern, and none of its neighbour.
        ends = list(accumulate(map(len, bodies)))
        whole = (marks[:, -1] + 1).tolist() == ends and _are_whole(text, ends, pattern.digits)
        return whole and self._agrees(text, marks, pattern, np.array(list(map(float, begun))))

    def learn(self, content: bytes) -> None:
        """Take a file with nothing wrong as the pattern for others, if it is of a run that was not interrupted."""
        start = _START.match(content)
        if start is None or len(_PATTERNS) >= MOST_PATTERNS:
            return
        body = content[start.end() :]
        lines = body.splitlines(keepends=True)
        found = [_LINE.fullmatch(line) for line in lines]
        names = [line[1] for line in found if line]
        epochs = np.array([place for place, name in enumerate(names) if name == EPOCH], dtype=np.int64)
        if len(names) < len(lines) or b"start" in names or not all(_EPOCH_TIME.search(lines[one]) for one in epochs):
            return
        if not len(epochs) or len(names) != epochs[-1] + 3 or any(names[one + 1] != EVALUATION for one in epochs):
            return
        counts = np.array([len(_marks(np.frombuffer(line, dtype=np.uint8))) for line in lines], dtype=np.int64)
        ends = np.cumsum(counts) - 1  # in a line the point of its time is the first mark, in an epoch time_s' the last
        points = np.concatenate([ends - counts + 1, ends[epochs] - 1])
        digits = len(_digits_begin(np.frombuffer(body, dtype=np.uint8)))
        _PATTERNS[body.translate(None, _DIGITS)] = Pattern(epochs, points, ends[epochs + 1], digits)

    def _agrees(self, text: Characters, marks: Places, pattern: Pattern, begun: Numbers) -> bool:
        """Whether epochs follow each other as the result has them, and no clock jumps."""
        epochs, points = pattern.epochs, marks.take(pattern.points, axis=1)
        if len(epochs) != len(self._times_s):
            return False
        times, spent = (
            _numbers_at(text, points[:, : -len(epochs)], _WEIGHTS),
            _numbers_at(text, points[:, -len(epochs) :], _FINE),
        )
        if times is None or spent is None:
            return False
        gaps_s = times[:, 1:] - times[:, :-1]
        told, width = np.concatenate([epochs, epochs + 1]), self._accuracies.shape[1]
        agree = (
            times[:, 0] >= begun - _SLACK_S,
            gaps_s >= 0,
            training_agrees(gaps_s[:, epochs[1:] - 1], spent[:, 1:], slack_s=-_SLACK_S),  # a start-up may take any time
            evaluation_agrees(gaps_s[:, epochs], self._evaluations_s, slack_s=-_SLACK_S),
            gaps_s[:, -1] <= STALL_S - _SLACK_S,
            # That of the result is the slowest rank's, digit by digit: none has more, less what was not read.
            spent.max(axis=0) <= self._times_s * (1 + CLOSE),
            _stand_at(text, points[:, -len(epochs) :] - self._before_points, self._slowest).all(axis=-1).any(axis=0),
            _stand_at(text, _after_decimals(text, points.take(told, axis=1)), self._numbers),
            _stand_at(text, marks.take(pattern.evaluation_ends, axis=1) - width, self._accuracies),
        )
        return all(map(np.all, agree))


@cache
def _texts(count: int) -> tuple[bytes, ...]:
    """The numbers below the count as a file has them."""
    return tuple(b"%d" % number for number in range(count))


@cache
def _numbers_of(epochs: int) -> Characters:
    """How the lines of epochs go on behind their times, then those of evaluations."""
    return _rows((b', "epoch": %s,' % number for number in _texts(epochs) * 2), bytes.ljust)


def _rows(texts: Iterable[bytes], justify: Callable[[bytes, int, bytes], bytes]) -> Characters:
    """The texts below each other, the shorter ones justified with zeros, which stand for any character."""
    made = list(texts)
    width = max(map(len, made), default=0)
    joined = b"".join(justify(text, width, b"\0") for text in made)
    return np.frombuffer(joined, dtype=np.uint8).reshape(len(made), width)


def _marks(text: Characters) -> Places:
    """Where points and ends of lines stand."""
    return np.flatnonzero((text == ord(".")) | (text == ord("\n")))


def _digits_begin(text: Characters) -> Places:
    """Where the first digit of each number, of its decimals and of its exponent stands; text begins with none."""
    digits = (text - np.uint8(ord("0"))) <= 9  # below zero is far above nine
    return np.flatnonzero(digits[1:] > digits[:-1]) + 1


def _are_whole(text: Characters, ends: Sequence[int], count: int) -> bool:
    """Whether so many numbers begin in each file, none of them with a zero that JSON does not allow."""
    begins = _digits_begin(text)
    if np.searchsorted(begins, ends).tolist() != list(range(count, count * len(ends) + 1, count)):
        return False
    zeros = begins[text[begins] == ord("0")]
    # Decimals and exponents may begin so. Behind each number stands another character: the text ends with a line.
    before = np.where(text[zeros - 1] == ord("-"), text[zeros - 2], text[zeros - 1])
    allowed = (before == ord(".")) | (before == ord("e")) | (text[zeros + 1] - np.uint8(ord("0")) > 9)
    return bool(allowed.all())


def _window(text: Characters, places: Places, width: int) -> Characters:
    """So many characters from each place on; all of them are there, since the text is as a pattern's is."""
    windows = np.ndarray(len(text) - width + 1, f"V{width}", text, strides=(1,))  # overlap; one copy takes a whole one
    taken: Characters = windows[places.ravel()].view(np.uint8)
    return taken.reshape(*places.shape, width)


def _stand_at(text: Characters, places: Places, wanted: Characters) -> NDArray[np.bool_]:
    """Whether the texts that are wanted, one for each column of places [files, texts], begin there."""
    same: NDArray[np.bool_] = (_window(text, places, wanted.shape[1]) == wanted) | (wanted == 0)
    return same


def _after_decimals(text: Characters, points: Places) -> Places:
    """Where the comma stands behind the decimals after these points."""
    commas = _window(text, points, _DECIMALS + 2) == ord(",")
    after: Places = points + commas.argmax(axis=-1)
    return after


def _numbers_at(text: Characters, points: Places, weights: Numbers) -> Numbers | None:
    """The numbers around these points, of which as many decimals are read as there are weights for; None where any has
    too many digits before its point.
    """
    digits = _window(text, points - _WHOLE - 1, len(weights)) - np.uint8(ord("0"))  # above 9 for other characters
    if digits[..., 0].min() <= 9:
        return None
    digits *= digits <= 9
    numbers: Numbers = digits.astype(np.float64) @ weights
    return numbers
