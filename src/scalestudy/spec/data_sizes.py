"""How many images a data set has, as far as planning knows."""

from scalestudy.spec.catalog import DATASETS
from scalestudy.spec.workload import DataSpec


def train_images(data: DataSpec) -> int | None:
    """Training images that a data set has, before ``train`` cuts it; None for a user's own data set."""
    facts = DATASETS.get(data.name)
    return _size(data, "train", facts.train, facts.options) if facts else None


def test_images(data: DataSpec) -> int | None:
    """Likewise the test images."""
    facts = DATASETS.get(data.name)
    return _size(data, "test", facts.test, facts.options) if facts else None


def _size(data: DataSpec, part: str, known: int, options: tuple[str, ...]) -> int | None:
    given = data.options.get(part, known) if part in options else known
    return given if isinstance(given, int) else None
