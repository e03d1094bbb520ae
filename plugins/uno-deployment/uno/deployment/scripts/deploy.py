"""`python -m uno.deployment.scripts.deploy`: the same as `uno deploy`, options and exit codes too."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int | None:
    """Deploy as the arguments say; those of the command line by default. Returns the exit code."""
    from uno_core.cli import main as uno

    # There may be what was deployed before by other means; uno says what it takes over.
    return uno(["deploy", "--adopt", *(sys.argv[1:] if arguments is None else arguments)])


if __name__ == "__main__":
    sys.exit(main())
