"""``python -m scalestudy``."""

import sys

from scalestudy.cli import main

if __name__ == "__main__":  # not in a process that is spawned, which imports this again
    sys.exit(main())
