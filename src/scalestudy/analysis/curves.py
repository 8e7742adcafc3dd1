"""Training loss over epochs, by cell."""

import math
from collections.abc import Sequence
from statistics import median

from scalestudy.analysis.cells import CellRuns
from scalestudy.records.report import CurveRow


def curve_rows(cells: Sequence[CellRuns]) -> list[CurveRow]:
    """Median and full range over the seeds of every cell with a completed run whose losses are all finite."""
    rows = []
    for cell in cells:
        curves = [[epoch.train_loss for epoch in result.epochs] for result in cell.results]
        curves = [curve for curve in curves if all(math.isfinite(loss) for loss in curve)]
        if not curves:
            continue
        by_epoch = list(zip(*curves, strict=True))
        rows.append(
            CurveRow(
                **cell.key._asdict(),
                n=len(curves),
                train_loss=[float(median(losses)) for losses in by_epoch],
                low=[min(losses) for losses in by_epoch],
                high=[max(losses) for losses in by_epoch],
            )
        )
    return rows
