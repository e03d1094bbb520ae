"""The command line. Only here click and rich are used, and each verb is imported when it is asked for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run `uno` with these arguments, or those of the process, and exit with its code."""
    from uno_core.cli.group import run

    sys.exit(run(sys.argv[1:] if argv is None else argv))
