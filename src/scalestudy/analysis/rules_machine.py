"""Sentence rules about what the probe measured of the machine."""

from collections.abc import Iterator

from scalestudy.analysis.evidence import Evidence, Statement

FIT_ERROR_LIMIT = 0.25
"""A fit that misses a measured time by more is named."""
GROUPS = {"all": "{error} between all {ranks} on {nodes}", "nodes": "{error} between one rank each of {nodes}"}


def loose_links(evidence: Evidence) -> Iterator[Statement]:
    """R27: the fits of the all-reduce that are far from the times that they were fitted to."""
    w = evidence.wording
    parts = [
        w.say(
            GROUPS[row.group],
            error=w.percent_above(row.largest_error, FIT_ERROR_LIMIT),
            ranks=w.counted(row.ranks, "rank"),
            nodes=w.counted(row.nodes, "node"),
        )
        for row in evidence.probe.links
        if row.largest_error > FIT_ERROR_LIMIT
    ]
    if parts:
        yield Statement(
            w.say(
                "The fit of start-up and rate differs from a measured time of the all-reduce by more than {limit}: "
                "{parts}.",
                limit=w.percent(FIT_ERROR_LIMIT),
                parts=w.enumeration(parts),
            )
        )
