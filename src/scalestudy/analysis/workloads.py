"""What the report says of the workloads and strategies of a study."""

from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import Literal

from scalestudy.analysis.cells import SHARED_BASE, CellRuns
from scalestudy.analysis.language import Language
from scalestudy.records.report import StrategyRow, WorkloadFacts
from scalestudy.spec.catalog import DATASETS, MODELS, STRATEGIES, called
from scalestudy.spec.options import show_option
from scalestudy.spec.workload import Workload

OPTIMIZERS = {"adam": "Adam", "sgd": "SGD"}
LR_SCALINGS = {
    "none": "the same for every batch",
    "linear": "growing with the batch",
    "sqrt": "growing with the square root of the batch",
}
AUGMENTATIONS = {"none": "none", "crop_flip": "random crop after padding by 4, random horizontal flip"}


def workload_facts(cells: Sequence[CellRuns], language: Language) -> list[WorkloadFacts]:
    """One entry per workload, in the order of the plan, worded in the report's language; no two have the same title."""
    groups: dict[str, list[CellRuns]] = {}
    for cell in cells:
        groups.setdefault(cell.cell.workload, []).append(cell)
    facts = [_facts(name, group, language) for name, group in groups.items()]
    shared = Counter(one.title for one in facts)
    return [
        one.model_copy(update={"title": f"{one.title}, {one.name}"}) if shared[one.title] > 1 else one for one in facts
    ]


def strategy_rows(cells: Sequence[CellRuns], language: Language) -> list[StrategyRow]:
    """One row per entry of a strategy, in the order of the plan, with what really ran."""
    rows = []
    for name in dict.fromkeys(cell.cell.variant for cell in cells):
        own = [cell for cell in cells if cell.cell.variant == name]
        planned = own[0].runs[0].run
        ran = (run.row.implementation for cell in own for run in cell.runs)
        notes = (note for cell in own for result in cell.results for note in result.notes)
        facts = STRATEGIES[planned.cell.strategy]
        rows.append(
            StrategyRow(
                name=name,
                title=called(language.say(facts.title_on(planned.device)), planned.cell.label),
                replicated=language.say(facts.replicated),
                exchanged=language.say(facts.exchanged),
                implementations=[text for text in dict.fromkeys(ran) if text],
                notes=list(dict.fromkeys(notes)),
                strategy=planned.cell.strategy,
                options={option: show_option(value) for option, value in planned.strategy_options.items()},
            )
        )
    return rows


def _facts(name: str, cells: Sequence[CellRuns], language: Language) -> WorkloadFacts:
    spec = cells[0].runs[0].run.workload
    base = _base(cells)
    results = (base.results if base else []) or [result for cell in cells for result in cell.results]
    example = next((one for one in results if one.gradient_bytes > 0), next(iter(results), None))
    provenance = example.provenance if example else None
    dataset = DATASETS.get(spec.data.name)
    synthetic = dataset.synthetic if dataset else bool(provenance and provenance.data_synthetic)
    data_title = dataset.title if dataset else (provenance.data_title if provenance else "") or spec.data.name
    model = MODELS.get(spec.model.name)
    model_title = model.title if model else spec.model.name.rpartition(":")[2]
    base_time_s = float(median(base.times_s)) if base and base.results else None
    return WorkloadFacts(
        name=name,
        title=_title(spec, model_title, data_title, synthetic, language),
        data_title=language.say(data_title),
        data_synthetic=synthetic,
        model_title=model_title,
        parameters=example.parameters if example else 0,
        gradient_bytes=example.gradient_bytes if example else 0,
        layers=example.layers if example else [],
        optimizer=_optimizer(spec, language),
        batch_size=spec.batch_size,
        epochs=spec.epochs,
        untimed_epochs=spec.untimed_epochs,
        train_images=base.images if base and base.results else _planned_images(spec, "train"),
        test_images=_planned_images(spec, "test"),
        augment=language.say(AUGMENTATIONS[spec.data.augment]),
        precision=spec.precision,
        base_time_s=base_time_s,
        base_images_per_s=base.images / base_time_s if base and base_time_s else None,
    )


def _base(cells: Sequence[CellRuns]) -> CellRuns | None:
    """The serial cell on the whole data set; that of weak scaling only when there is no other."""
    serial = [cell for cell in cells if cell.cell.strategy == "serial"]
    serial.sort(key=lambda cell: (not cell.results, cell.cell.scaling not in SHARED_BASE))
    return serial[0] if serial else None


def _title(spec: Workload, model: str, data: str, synthetic: bool, language: Language) -> str:
    """How the report calls a workload; synthetic data is said wherever the name appears."""
    mark = language.say("synthetic data")
    title = spec.title or f"{model} ({mark if synthetic else language.say(data)})"
    said = any(word in title.lower() for word in ("synthetic", mark.lower()))
    return f"{title} ({mark})" if synthetic and not said else title


def _optimizer(workload: Workload, language: Language) -> str:
    spec = workload.optimizer
    parts = [OPTIMIZERS[spec.name]]
    named = {"learning rate": spec.lr, "momentum": spec.momentum, "weight decay": spec.weight_decay}
    parts += [f"{language.say(name)} {language.number(f'{value:g}')}" for name, value in named.items() if value]
    parts.insert(2, language.say(LR_SCALINGS[workload.lr_scaling]))
    return (", " if language.decimal == "." else "; ").join(parts)


def _planned_images(spec: Workload, split: Literal["train", "test"]) -> int:
    """Images as the plan has them, for training where no base completed; 0 when only the data would tell."""
    dataset, asked = DATASETS.get(spec.data.name), getattr(spec.data, split)
    # What a data set of the user's own takes by this name may be anything.
    whole = int(spec.data.options.get(split, getattr(dataset, split))) if dataset else 0
    return min(asked, whole) if asked and whole else asked or whole
