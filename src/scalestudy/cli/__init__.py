"""The command line. Each command imports what it needs when it runs: torch only where something trains."""

from scalestudy.cli.main import main

__all__ = ["main"]
