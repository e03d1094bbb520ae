"""How soon it goes on after a kill, and how soon the traffic is back after a bad verdict, on this machine.

Prints a table, and JSON on stderr. On the local platform, with real processes.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import requests

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from shop import Shop

BAD = "metrics_threshold={error_rate: 1%}"


def start(shop: Shop, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "uno_core", *arguments, "--config-file", str(shop.file), "--output", "jsonl"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=shop.folder,
    )  # fmt: skip


def until(process: subprocess.Popen[str], kind: str) -> dict[str, object]:
    """Read events until one of a kind."""
    assert process.stdout
    for line in process.stdout:
        event = json.loads(line)
        if event["kind"] == kind:
            return event
    raise AssertionError(f"it ended without {kind}")


def going_on(shop: Shop, times: int) -> float:
    """The median of the seconds from the start of `uno resume` until it drives."""
    took = []
    for number in range(times):
        process = start(shop, "deploy", "--version", f"k{number}", "--strategy", "blue-green",
                        "--option", "strategy.verify_for=60s", "--option", "strategy.drain=1s")  # fmt: skip
        until(process, "waiting")
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        began = time.perf_counter()
        again = start(shop, "resume")
        until(again, "waiting")
        took.append(time.perf_counter() - began)
        again.terminate()
        again.communicate()
    return statistics.median(took)


def ask(port: int, ended: threading.Event) -> None:
    """Requests, as fast as one after the other comes back."""
    with requests.Session() as session:
        while not ended.is_set():
            session.get(f"http://127.0.0.1:{port}/", timeout=5)


def back_after_a_verdict(shop: Shop, times: int) -> float:
    """The median of the seconds from a FAIL to the captured split read back as in force."""
    took = []
    for _ in range(times):
        process = start(shop, "deploy", "--version", "bad", "--strategy", "blue-green",
                        "--option", f"strategy.{BAD}", "--option", "strategy.verify_for=60s")  # fmt: skip
        ended = threading.Event()
        load = threading.Thread(target=ask, args=(shop.port, ended))
        load.start()
        verdict, back = until(process, "verdict"), until(process, "restoring")
        while whole(back["split"]) != 100.0:
            back = until(process, "restoring")
        ended.set()
        load.join()
        process.communicate()
        took.append(
            (
                datetime.fromisoformat(str(back["at"])) - datetime.fromisoformat(str(verdict["at"]))
            ).total_seconds()
        )
    return statistics.median(took)


def whole(split: Any) -> float:
    """The greatest share."""
    return max(split.values(), default=0.0)


def main(times: int) -> None:
    numbers: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="uno-bench-") as folder:
        shop = Shop(Path(folder), instances=2)
        try:
            shop.deploy("v0", "blue-green", "verify_for=1s")
            numbers["start of uno resume to driving, s (budget 0.3)"] = going_on(shop, times)
            numbers["bad verdict to split read back, s (budget 0.1)"] = back_after_a_verdict(shop, times)
        finally:
            shop.close()
    for name, value in numbers.items():
        print(f"{name:58} {value:>12.4g}")
    print(json.dumps(numbers), file=sys.stderr)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 5)
