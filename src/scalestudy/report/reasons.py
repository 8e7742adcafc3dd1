"""What runs and models say in words, in the report's language. The records and tables keep the English texts."""

from collections.abc import Sequence
from functools import cache

from scalestudy.analysis.language import LANGUAGES
from scalestudy.records.report import CommunicationRow, EfficiencyRow, ReportData, RunRow


def with_reasons(data: ReportData) -> ReportData:
    """The data with the reasons of runs, cells and problems, what strategies did and the networks of predictions in
    its language. Messages of failed runs stay.
    """
    language = LANGUAGES[data.words.language]
    if not language.phrases:
        return data
    reason = cache(language.reason)  # thousands of runs share a few

    def said(
        rows: Sequence[RunRow] | Sequence[CommunicationRow] | Sequence[EfficiencyRow],
    ) -> list[RunRow | CommunicationRow | EfficiencyRow]:
        return [
            row
            if isinstance(row, RunRow) and row.outcome == "failed"
            else row.model_copy(update={"reason": reason(row.reason)})
            for row in rows
        ]

    return data.model_copy(
        update={
            "runs": said(data.runs),
            "communication": said(data.communication),
            "efficiencies": said(data.efficiencies),
            "problems": [reason(line) for line in data.problems],
            "strategies": [
                row.model_copy(
                    update={
                        "implementations": list(map(reason, row.implementations)),
                        "notes": list(map(reason, row.notes)),
                    }
                )
                for row in data.strategies
            ],
            "predictions": [row.model_copy(update={"network": reason(row.network)}) for row in data.predictions],
        }
    )
