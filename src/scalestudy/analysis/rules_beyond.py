"""Sentence rules about time to accuracy and about predictions, the only ones that go beyond measured cells."""

from collections.abc import Iterator

from scalestudy.analysis.cells import SHARED_BASE
from scalestudy.analysis.evidence import Evidence, Statement
from scalestudy.analysis.predictions import model_name
from scalestudy.records.findings import PredictionCurve, TargetRow, ValidationRow


def time_to_accuracy(evidence: Evidence) -> Iterator[Statement]:
    """R21: per workload and scaling, the parallel cell with the shortest time to the target, beside its base."""
    w = evidence.wording
    for workload, scaling in evidence.scaling_groups():
        rows = [
            row
            for row in evidence.targets
            if (row.workload, row.scaling) == (workload, scaling)
            and row.time_s is not None
            and row.strategy != "serial"
        ]
        if not rows:
            continue
        row = min(rows, key=lambda row: row.time_s or 0)
        yield evidence.statement(
            "{subject}, the shortest median time to a test accuracy of {target} among the parallel configurations is "
            "that of {name}: {time} of training ({interval}), in {reached} of {runs}; {base}.",
            row,
            target=w.percent(row.target, 1),
            name=evidence.name(row),
            time=w.seconds(row.time_s or 0, row.time_low_s, row.time_high_s),
            interval=w.seconds_interval(row.time_s or 0, row.time_low_s, row.time_high_s),
            reached=row.reached,
            runs=w.counted(row.n, "run"),
            base=_base_time(evidence, row),
        )


def _base_time(evidence: Evidence, row: TargetRow) -> str:
    """What the serial base of the cell needed: under epoch and strong scaling it is one base, planned once."""
    w = evidence.wording
    scalings = SHARED_BASE if row.scaling in SHARED_BASE else (row.scaling,)
    bases = [one for one in evidence.targets if one.strategy == "serial" and one.workload == row.workload]
    base = next((one for one in bases if one.scaling in scalings), None)
    if base is None:
        return w.say("there is no serial base to set beside it")
    if base.time_s is None:
        return w.say(
            "the serial base reaches it in {reached} of {runs}", reached=base.reached, runs=w.counted(base.n, "run")
        )
    time = w.seconds(base.time_s)
    if base.reached < base.n:
        return w.say(
            "the serial base needs {time}, in {reached} of {runs}",
            time=time,
            reached=base.reached,
            runs=w.counted(base.n, "run"),
        )
    return w.say("the serial base needs {time}", time=time)


def predicted(evidence: Evidence) -> Iterator[Statement]:
    """R22: the efficiency predicted for the most devices, where the model was validated."""
    w = evidence.wording
    validated = {(row.workload, row.scaling, row.strategy, row.model) for row in evidence.validation if not row.reason}
    for curve in evidence.predictions:
        model = model_name(curve.algorithm)
        if not curve.devices or (curve.workload, curve.scaling, curve.strategy, model) not in validated:
            continue
        yield evidence.statement(
            "{subject}, the model of one step with {algorithm} all-reduce predicts for {strategy} on {devices} an "
            "efficiency of {efficiency} ({low} to {high} in simulated studies).",
            curve,
            algorithm=w.say(curve.algorithm),
            strategy=evidence.strategy(curve.strategy),
            devices=w.devices(curve.devices[-1]),
            **_ends(evidence, curve),
        )


def _ends(evidence: Evidence, curve: PredictionCurve) -> dict[str, str]:
    values = {"efficiency": curve.efficiency, "low": curve.low, "high": curve.high}
    return {name: evidence.wording.percent(series[-1], 1) for name, series in values.items()}


def validated(evidence: Evidence) -> Iterator[Statement]:
    """R23: how far each model was from cells that it had not seen, at worst."""
    w = evidence.wording
    models: dict[str, list[tuple[float, ValidationRow]]] = {}
    for row in evidence.validation:
        if row.error is not None:
            models.setdefault(row.model, []).append((row.error, row))
    for model, rows in models.items():
        error, worst = max(rows, key=lambda row: abs(row[0]))
        yield Statement(
            w.say(
                "Fitted to smaller cells, the model “{model}” predicted the efficiency of {cells} that it had not "
                "seen; its largest error is {error}, for {strategy} on {devices}.",
                model=w.say(model),
                cells=w.counted(len(rows), "cell"),
                error=w.signed_percent(error),
                strategy=evidence.strategy(worst.strategy),
                devices=w.devices(worst.devices),
            )
        )


def refused(evidence: Evidence) -> Iterator[Statement]:
    """R24: for what there is no prediction, and why."""
    w = evidence.wording
    predicted_for = {curve.strategy for curve in evidence.predictions}
    reasons: dict[str, list[str]] = {}
    for row in evidence.refusals:
        name = evidence.strategy(row.strategy)
        if row.strategy in predicted_for:  # elsewhere there is a prediction
            name += f" ({evidence.title(row.workload)}, {w.say(f'{row.scaling} scaling')})"
        reasons.setdefault(row.reason, []).append(name)
    for reason, names in reasons.items():
        text = "No prediction is made for {names}: {reason}."
        yield Statement(w.say(text, names=w.enumeration(list(dict.fromkeys(names))), reason=w.language.render(reason)))
