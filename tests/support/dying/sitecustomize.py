"""Kills the uno that imports it at one write of its journal: UNO_DIE_AT=3:before, or 3:after.

Python imports a module of this name at its start, wherever it finds one; the tests put this folder
on PYTHONPATH of the commands that they run. Counted are the lines of the journal, and the beginning
and the changes of a deployment's record. What was counted stands in the file UNO_COUNTED.

UNO_TTL is how many seconds a lease lasts, so that a test need not wait as long as people do.
"""

import functools
import os
import signal
from pathlib import Path


def _die():
    os.kill(os.getpid(), signal.SIGKILL)


def _dying(write, counted, number, when):
    @functools.wraps(write)
    def dying(*arguments, **named):
        with counted.open("a") as file:
            file.write(f"{write.__name__}\n")
        here = len(counted.read_text().splitlines()) == number
        if here and when == "before":
            _die()
        answer = write(*arguments, **named)
        if here:
            _die()
        return answer

    return dying


if "UNO_COUNTED" in os.environ:
    from uno_core.journal.sqlite import FileStore

    _number, _, _when = os.environ.get("UNO_DIE_AT", "0:").partition(":")
    for _name in ("create", "append", "update"):
        _write = getattr(FileStore, _name)
        setattr(FileStore, _name, _dying(_write, Path(os.environ["UNO_COUNTED"]), int(_number), _when))

if "UNO_TTL" in os.environ:
    from uno_core.engine import tenure

    tenure.TTL = float(os.environ["UNO_TTL"])
