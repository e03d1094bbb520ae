"""`python -m uno_platform_local.agent ROOT`, started by supervisord."""

from __future__ import annotations

import logging
import os
import sys

from uno_core import UnoError
from uno_platform_local.agent.loop import Loop
from uno_platform_local.agent.reconciler import Reconciler
from uno_platform_local.layout import Layout


def main() -> None:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO, stream=sys.stderr)
    layout = Layout.of(sys.argv[1])
    try:
        Loop(Reconciler(layout), parent=os.getppid()).run()
    except UnoError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
