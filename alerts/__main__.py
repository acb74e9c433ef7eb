"""`python -m alerts` and the `alerts` command."""

from __future__ import annotations

import sys

from alerts.cli import main as run_command


def main() -> None:
    """Run the command line and leave with its exit code."""
    sys.exit(run_command())


if __name__ == "__main__":
    main()
