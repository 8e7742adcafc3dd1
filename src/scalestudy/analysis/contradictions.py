"""What a completed result says against its run, or against itself: each number alone may be right, all together not."""

import numpy as np

from scalestudy.analysis.device_columns import DeviceColumns
from scalestudy.analysis.planned import Planned
from scalestudy.analysis.soundness import NOT_USED
from scalestudy.records.result import PHASES, Result

LONGER = 1.02
"""The steps of the timed epochs may take longer than these epochs by so much: other clocks measure them on GPUs."""
LONGER_S = 0.02
"""And by this much, where epochs are short."""
SUM_TOLERANCE = 0.01
"""The phases of a device add up to the time of its steps within this share of it."""


def wrong_epoch(result: Result, planned: Planned) -> str | None:
    """The first thing in its epochs that cannot be of this run. Without them nothing of the result can be used."""
    images = planned.images or (result.epochs[0].images if result.epochs else 0)
    steps = -(-images // planned.global_batch)
    for epoch in result.epochs:
        wanted = (epoch.epoch >= planned.untimed_epochs, images, steps)
        found = (epoch.timed, epoch.images, epoch.steps)
        if found != wanted:
            name, one, other = next(
                each for each in zip(("timed", "images", "steps"), found, wanted, strict=True) if each[1] != each[2]
            )
            return f"holds an epoch that is not of this run: epochs[{epoch.epoch}].{name}: found {one}, not {other}"
    return None


def without_wrong_phases(result: Result, devices: int) -> tuple[Result, str | None]:
    """The result without phases that its devices cannot have had in its epochs, and what was found."""
    if not len(result.phases) or (wrong := _wrong_phases(result, devices)) is None:
        return result, None
    changed = result.model_copy(update={"phases": [], "phases_reason": NOT_USED})
    return changed, f"{wrong}; this part is not used"


def _wrong_phases(result: Result, devices: int) -> str | None:
    columns = DeviceColumns.of(result.phases)
    numbers = columns.column("device")
    if len(numbers) != devices or np.any(np.sort(numbers) != np.arange(devices)):
        shown = ", ".join(f"{number:.0f}" for number in numbers[:8])
        return f"phases: found devices {shown}{', ...' if len(numbers) > 8 else ''}, not each of {devices} once"
    timed = [epoch for epoch in result.epochs if epoch.timed]
    steps, time_s = sum(epoch.steps for epoch in timed), sum(epoch.time_s for epoch in timed)
    other = columns.column("steps") != steps
    if other.any():
        place = int(other.argmax())
        found = columns.column("steps")[place]
        return f"phases[{place}].steps: found {found:.0f}, the timed epochs have {steps}"
    longer = columns.column("time_s") > LONGER * time_s + LONGER_S
    if longer.any():
        place = int(longer.argmax())
        found = columns.column("time_s")[place]
        return f"phases[{place}].time_s: found {found:.4g} s, the timed epochs took {time_s:.4g} s"
    return _not_adding_up(columns)


def _not_adding_up(columns: DeviceColumns) -> str | None:
    """Of the first device whose phases do not add up to the time of its steps."""
    place = columns.first_not_adding_up(SUM_TOLERANCE)
    if place is None:
        return None
    sums, times = columns.measured(*PHASES), columns.column("time_s")
    return f"phases[{place}] add up to {sums[place]:.4g} s, its time_s is {times[place]:.4g} s"
