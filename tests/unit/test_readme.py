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
