"""How a process ended: supervisord forgets the code of one that ends quickly, but not in its log."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

_LINE = re.compile(
    r"^(?P<at>\S+ \S+) \S+ (?P<what>spawned|exited): '?(?P<name>[\w.-]+)'? "
    r"(?:with pid \d+|\((?P<how>.+?); (?:not )?expected\))"
)
_READ = 65_536


def last_end(log: Path, name: str) -> str:
    """`exited with code 3 after 0.2 s`, `terminated by SIGKILL after 12.0 s`; empty where it is unknown."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _READ))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    began, how, took = "", "", ""
    for row in text.splitlines():
        match = _LINE.match(row)
        if match is None or match["name"] != name:
            continue
        if match["what"] == "spawned":
            began = match["at"]
        else:
            how, took = match["how"], _passed(began, match["at"])
    return f"{how.replace('exit status', 'exited with code')}{took}" if how else ""


def _passed(began: str, ended: str) -> str:
    if not began:
        return ""
    one, two = (datetime.strptime(at, "%Y-%m-%d %H:%M:%S,%f") for at in (began, ended))  # noqa: DTZ007
    return f" after {(two - one).total_seconds():.1f} s"
