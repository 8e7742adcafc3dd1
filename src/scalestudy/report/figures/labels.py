"""Names at the ends of lines, placed so that they cover neither each other nor another line."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from matplotlib.axes import Axes

from scalestudy.report.figures.style import GRAY

Path = list[tuple[float, float]]
"""A line: its points from left to right."""
GAP = 8.5
"""Distance between the middles of two names, in points."""
CLEAR = 6.0
"""Distance between a name and a line that counts as clear, in points."""
SMALL = 6.5
"""Size of a name that is not strong, in points."""
LETTER = 3.9
"""Mean width of a letter, in points."""
SHIFTS = (0, 9, -9, 16, -16, 24, -24)
"""Vertical shifts that are tried for a name inside the panel, in points."""


class Line(NamedTuple):
    """A line with its name; several may be called the same."""

    name: str
    path: Path
    color: str
    strong: bool = True


def label_ends(ax: Axes, lines: Sequence[Line], others: Sequence[Path]) -> None:
    """Write each line's name in its color at its end, clear of the other paths. The axes' limits must be final."""
    groups: dict[float, list[Line]] = {}
    for line in lines:
        groups.setdefault(line.path[-1][0], []).append(line)
    last = max(groups)
    for end, members in groups.items():
        heights = [_point(ax, *line.path[-1])[1] for line in members]
        moved = [after - before for before, after in zip(heights, spread(heights, GAP), strict=True)]
        # Names that are moved apart stay beside each other: the best place of each alone may be the same.
        crowd = [(line, shift) for line, shift in zip(members, moved, strict=True) if shift]
        together = (1, 0.0) if end == last else _free_place(ax, crowd, lines, others)
        for line, own in zip(members, moved, strict=True):
            side, more = together if own or end == last else _free_place(ax, [(line, own)], lines, others)
            leader = {"arrowstyle": "-", "color": line.color, "linewidth": 0.5, "shrinkA": 1, "shrinkB": 2.5}
            ax.annotate(line.name, line.path[-1], (6 * side, own + more), textcoords="offset points", va="center",
                        ha="left" if side > 0 else "right", color=line.color,
                        weight=600 if line.strong else 400, size=None if line.strong else SMALL,
                        arrowprops=leader if abs(own + more) > GAP else None)  # fmt: skip


def _free_place(
    ax: Axes, named: Sequence[tuple[Line, float]], lines: Sequence[Line], others: Sequence[Path]
) -> tuple[int, float]:
    """The first side (1: right, -1: left) and further shift at which the names, of lines that end together and each
    with a shift of its own, are clear of all lines, or the best of them.
    """
    drawn = [[_point(ax, *point) for point in path] for path in (*(line.path for line in lines), *others)]

    def clearance(place: tuple[int, float]) -> float:
        side, more = place
        found = math.inf
        for line, own in named:
            x, y = _point(ax, *line.path[-1])
            left, right = sorted((x + 6 * side, x + side * (6 + LETTER * len(line.name))))
            found = min(found, *(_distance(path, left, right, y + own + more) for path in drawn))
        return found

    places = [(side, more) for side in (1, -1) for more in SHIFTS]
    return next((place for place in places if clearance(place) >= CLEAR), max(places, key=clearance))


def _distance(line: Sequence[tuple[float, float]], left: float, right: float, y: float) -> float:
    """How far above or below a level stretch the line comes nearest: 0 where it crosses, infinite where it is not."""
    found = math.inf
    for (x0, y0), (x1, y1) in pairwise(line):
        if x0 < x1 and x0 <= right and left <= x1:
            heights = [y0 + (y1 - y0) * (min(max(x, x0), x1) - x0) / (x1 - x0) - y for x in (left, right)]
            crosses = min(heights) <= 0 <= max(heights)
            found = min(found, 0.0 if crosses else min(map(abs, heights)))
    return found


def _point(ax: Axes, x: float, y: float) -> tuple[float, float]:
    """Where a point lies on the page, in points."""
    right, up = ax.transData.transform((x, y)) * 72 / ax.figure.dpi
    return float(right), float(up)


def word_aside(ax: Axes, word: str, at: float) -> Path:
    """Write a gray word left of and above a point of the diagonal; the stretch through it, of which names are to be
    clear. The axes' limits must be final.
    """
    ax.annotate(word, (at, at), (-6, 5), textcoords="offset points", color=GRAY, ha="right", va="bottom")
    right, up = _point(ax, at, at)
    ends = [(right - 6 - LETTER * len(word), up + 9), (right - 6, up + 9)]
    pixels = [(x * ax.figure.dpi / 72, y * ax.figure.dpi / 72) for x, y in ends]
    return [(float(x), float(y)) for x, y in ax.transData.inverted().transform(pixels)]


def spread(positions: Sequence[float], gap: float) -> list[float]:
    """The positions moved apart as little as needed, so that neighbors differ by at least ``gap``; order is kept."""
    order = sorted(range(len(positions)), key=lambda index: positions[index])
    groups: list[list[int]] = []
    for index in order:
        groups.append([index])
        while (
            len(groups) > 1
            and _center(groups[-1], positions) - _center(groups[-2], positions)
            < gap * (len(groups[-1]) + len(groups[-2])) / 2
        ):
            last = groups.pop()
            groups[-1] += last
    placed = list(positions)
    for group in groups:
        for place, index in enumerate(group):
            placed[index] = _center(group, positions) + gap * (place - (len(group) - 1) / 2)
    return placed


def _center(group: Iterable[int], positions: Sequence[float]) -> float:
    members = [positions[index] for index in group]
    return sum(members) / len(members)
