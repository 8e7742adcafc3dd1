"""Tells rank files that are as the trainer writes them, without parsing: of 640,000 in a large study nearly all are.

Files of the same lines differ in digits alone, the first line apart. What is left of a file without its digits is
compared with what a close look (rank_files.py) found nothing wrong in; then the numbers that have to agree, times and
epochs, are taken from all files of a run at once. Only a digit inside a word escapes this.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalestudy.analysis.clocks import STALL_S, evaluation_agrees, training_agrees
from scalestudy.analysis.rank_epochs import CLOSE_S
from scalestudy.records.result import Epoch

MOST_BYTES = 2**16
"""Of a rank file; a longer one is looked at line by line."""
MOST_IN_LINE = 300
"""Longer lines may hold numbers that are none: of hundreds of digits."""
MOST_PATTERNS = 1000
EPOCH, EVALUATION = b"epoch", b"evaluation"
_DIGITS = b"0123456789"
_WORD, _COUNT = rb'[^"\\\x00-\x1f]*', rb"(?:0|[1-9][0-9]{0,17})"
_START = re.compile(
    rb'\{"event": "start", "time": ([1-9][0-9]{9}\.[0-9]+), "run": "%s", "digest": "(%s)", "rank": (%s), '
    rb'"ranks": %s, "host": "%s", "pid": %s\}\n' % (_WORD, _WORD, _COUNT, _COUNT, _WORD, _COUNT)
)
_LINE = re.compile(rb'\{"event": "([a-z]+)", "time": [0-9]+\.[0-9]+(?:, "epoch": [0-9]+)?, .*\}\n')
_EPOCH_TIME = re.compile(rb'"time_s": [0-9]+\.[0-9]+\}\n')
_STAMP = len("1795000000.00")
_STAMP_WEIGHTS = np.array([*10.0 ** np.arange(9, -1, -1), 0, 0.1, 0.01])
_NUMBER = len(', "epoch": ')
_TAIL = 24
"""Characters before the end of a line that hold the point of its last number."""
_ACCURACY = len('"test_accuracy": 0.5}') - 1
"""Characters at the end of an evaluation's line that are compared: all that the shortest one has."""
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
    """Which lines are epochs."""
    evaluated: Places
    """Which of the epochs have their evaluation in the next line."""
    ends: bool
    """Whether the run ends right after an evaluation."""


_PATTERNS: dict[bytes, Pattern] = {}
"""By what is left of such a file without its first line and its digits."""


class PlainRanks:
    """What the files of one run have to hold: ``digest`` is that of its run.json, ``evaluations_s`` its result's."""

    def __init__(self, digest: str, evaluations_s: Sequence[float], epochs: Sequence[Epoch] = ()) -> None:
        self._digest = digest.encode()
        self._evaluations_s = np.asarray(evaluations_s, dtype=np.float64)
        self._times_s = np.array([epoch.time_s for epoch in epochs], dtype=np.float64)
        lines = [f'    "test_accuracy": {epoch.test_accuracy!r}}}'[-_ACCURACY:] for epoch in epochs]
        self._tails = np.frombuffer("".join(lines).encode(), dtype=np.uint8).reshape(len(epochs), _ACCURACY)

    def holds(self, contents: Sequence[bytes], first_rank: int = 0, whole: bool = False) -> bool:
        """Whether these are the contents of consecutive ranks, each one uninterrupted run with nothing wrong.

        ``whole``: they are all ranks, so that the slowest has the times of the result.
        """
        starts = [_START.match(content) for content in contents]
        if not contents or max(map(len, contents)) >= MOST_BYTES:
            return False
        begun = np.empty(len(contents))
        for rank, found in enumerate(starts):
            if found is None or found[2] != self._digest or int(found[3]) != first_rank + rank:
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
        return np.array_equal(ends[lines - 1 :: lines] + 1, files) and self._agrees(text, ends, pattern, begun, whole)

    def learn(self, content: bytes) -> None:
        """Take a file with nothing wrong as the pattern for others, if it is of a run that was not interrupted."""
        start = _START.match(content)
        if start is None or len(content) >= MOST_BYTES or len(_PATTERNS) >= MOST_PATTERNS:
            return
        body = content[start.end() :]
        lines = body.splitlines(keepends=True)
        if len(body) < 2 * _TAIL:  # no whole run
            return
        found = [_LINE.fullmatch(line) for line in lines]
        names = [line[1] for line in found if line]
        epochs = [place for place, name in enumerate(names) if name == EPOCH]
        if len(names) < len(lines) or b"start" in names or not all(_EPOCH_TIME.search(lines[one]) for one in epochs):
            return
        evaluated = [count for count, place in enumerate(epochs) if names[place + 1 : place + 2] == [EVALUATION]]
        _PATTERNS[body.translate(None, _DIGITS)] = Pattern(
            stamps=np.array([len(b'{"event": "", "time": ' + name) for name in names], dtype=np.int64),
            epochs=np.array(epochs, dtype=np.int64),
            evaluated=np.array(evaluated, dtype=np.int64),
            ends=names[-2:] == [EVALUATION, b"end"],
        )

    def _agrees(self, text: Characters, ends: Places, pattern: Pattern, begun: Numbers, whole: bool) -> bool:
        """Whether epochs follow each other, and no clock jumps, in any of the files; ``ends`` are those of lines."""
        places = np.concatenate([[0], ends[:-1] + 1]) + np.tile(pattern.stamps, len(begun))
        times = _times(text, places)
        if times is None or len(pattern.epochs) != len(self._evaluations_s):
            return False
        times = times.reshape(len(begun), -1)
        if (
            np.any(times[:, 0] < begun - _SLACK_S)
            or np.any(np.diff(times, axis=1) < 0)
            or (pattern.ends and np.any(times[:, -1] - times[:, -2] > STALL_S - _SLACK_S))
        ):
            return False
        if not len(pattern.epochs):
            return True
        numbers = _epochs(text, places.reshape(times.shape)[:, pattern.epochs])
        spent = _last_numbers(text, ends.reshape(times.shape)[:, pattern.epochs] - 1)
        if spent is None or np.any(numbers != np.arange(len(pattern.epochs))):
            return False
        if len(self._times_s) and not self._is_as_the_result_says(
            text, ends.reshape(times.shape), pattern, spent, whole
        ):
            return False
        ended = times[:, pattern.epochs]
        later = pattern.epochs[1:]
        trained = training_agrees(times[:, later] - times[:, later - 1], spent[:, 1:], slack_s=-_SLACK_S)
        gaps = times[:, pattern.epochs[pattern.evaluated] + 1] - ended[:, pattern.evaluated]
        evaluated = evaluation_agrees(gaps, self._evaluations_s[pattern.evaluated], slack_s=-_SLACK_S)
        return bool(np.all(trained) and np.all(evaluated))

    def _is_as_the_result_says(
        self, text: Characters, ends: Places, pattern: Pattern, spent: Numbers, whole: bool
    ) -> bool:
        """Whether no rank was slower than the result's times, one of all as slow, and all found its accuracies."""
        slowest = spent.max(axis=0)  # of two decimals: up to 0.01 s too short
        if np.any(slowest > self._times_s + CLOSE_S - 0.01) or (whole and np.any(slowest < self._times_s - CLOSE_S)):
            return False
        places = ends[:, pattern.epochs[pattern.evaluated] + 1] - _ACCURACY
        return np.array_equal(
            _window(text, places, _ACCURACY),
            np.broadcast_to(self._tails[pattern.evaluated], (*places.shape, _ACCURACY)),
        )


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
