"""A shell that is told the commands of a page, one block after the other, as a person would type them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

END = "@@ended"


class Shell:
    """A bash that is told one block after the other. Its own process group: all of it ends with it."""

    def __init__(self, folder: Path) -> None:
        path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
        self._process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=folder,
            env={"PATH": path, "HOME": str(folder), "LANG": "C.UTF-8", "COLUMNS": "200"},
            start_new_session=True,
        )

    def run(self, block: str) -> tuple[int, str]:
        """Exit code of the block's last command, and what was printed."""
        self._process.stdin.write(f"{block}\necho {END} $?\n")
        self._process.stdin.flush()
        lines = []
        for line in self._process.stdout:
            if line.startswith(END):
                return int(line.split()[1]), "".join(lines)
            lines.append(line)
        raise AssertionError(f"the shell ended: {''.join(lines)}")

    def close(self) -> None:
        self._process.stdin.close()
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.stdout.close()
        self._process.wait()


def steps(page: str) -> list[tuple[str, str]]:
    """The commands of a page in order, each with the title above it. A file that is written is one step."""
    found = []
    for part in re.split(r"^## ", page, flags=re.MULTILINE):
        title = part.splitlines()[0]
        for block in re.findall(r"^```sh\n(.*?)^```$", part, re.MULTILINE | re.DOTALL):
            lines = [block] if "<<'EOF'" in block else block.strip().splitlines()
            found += [(title, line) for line in lines]
    return found


def shown(page: str) -> list[str]:
    """What a page says is printed, block by block."""
    return re.findall(r"^```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
