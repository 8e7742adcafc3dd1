"""Speedup (strong and epoch scaling) or efficiency (weak scaling) over devices, one panel per workload.

With one number of devices a line through two points says little, so the cells are drawn as intervals instead.
"""

from scalestudy.records.report import ReportData, SpeedupRow, WorkloadFacts
from scalestudy.report import numbers
from scalestudy.report.drawing import Drawing
from scalestudy.report.figures.intervals import interval_panels
from scalestudy.report.figures.lines import drawn_laws, line_panels, node_end
from scalestudy.report.figures.style import cell_label, language_of, styled, to_svg, workload_label


def draw_scaling(data: ReportData, scaling: str) -> Drawing | None:
    """The scaling figure, or None when no parallel cell has a speedup.

    Its form names what the caption has to explain: ``lines`` or ``intervals``, then ``bars`` where a cell has an
    interval, ``nodes`` where the end of one node is marked, ``ceiling`` where the machine's ceiling is drawn and the
    name of a scaling law where its fits are.
    """
    rows = [row for row in data.speedup if row.scaling == scaling and row.strategy != "serial" and row.speedup]
    workloads = [facts for facts in data.workloads if any(row.workload == facts.name for row in rows)]
    if not workloads:
        return None
    lines = len({row.devices for row in rows}) > 1
    form = ["lines" if lines else "intervals"]
    form += ["bars"] if any(row.speedup_low is not None for row in rows) else []
    form += ["nodes"] if lines and node_end(rows) else []
    form += ["ceiling"] if any(row.ceiling_speedup for row in rows) else []
    form += sorted({curve.law for curve in drawn_laws(data, rows)}) if lines else []
    with styled():
        svg = to_svg((line_panels if lines else interval_panels)(data, workloads, rows, scaling))
    return Drawing("scaling", scaling, " ".join(form), svg, _alt(data, workloads, rows))


def _alt(data: ReportData, workloads: list[WorkloadFacts], rows: list[SpeedupRow]) -> str:
    language, parts = language_of(data), []
    for facts in workloads:
        cells = [
            language.say(
                "{cell} {speedup} of ideally {devices}",
                cell=cell_label(data, row),
                speedup=numbers.factor(row.speedup, row.speedup_low, row.speedup_high, language),
                devices=row.devices,
            )
            for row in rows
            if row.workload == facts.name
        ]
        parts.append(f"{workload_label(data, facts)}: {'; '.join(cells)}")
    return f"{language.say('Speedup over the serial base.')} {'. '.join(parts)}."
