"""What the README points at is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    text = page.read_text()
    targets = re.findall(r"\]\(([^)#\s]+)", text) + re.findall(r'src="([^"]+)"', text)
    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert missing == []


def test_the_readme_names_only_commands_that_exist() -> None:
    from scalestudy.cli.main import COMMANDS

    named = set(re.findall(r"^(?:\.venv/bin/)?scalestudy (\w+)", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert named
    assert named <= COMMANDS.keys()


def test_epochs_that_enter_no_time_are_untimed_everywhere_and_warm_up_is_of_the_learning_rate_alone() -> None:
    speaking = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "src/scalestudy").rglob("*.typ")]
    speaking += [ROOT / "src/scalestudy/train/progress.py", ROOT / "src/scalestudy/analysis/language/de.json"]
    found = [path.name for path in speaking if re.search(r"warm-up|aufwärm", path.read_text(), re.IGNORECASE)]
    assert found == []
