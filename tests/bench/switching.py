"""Lost requests, and latency while traffic moves beside the steady one, on the local platform.

Ratios within one run: the machine's own speed cancels out. Needs wrk. Each answer takes 20 ms, so
that the load is steady and the machine is not saturated: wrk sends as fast as it is answered.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from shop import SAMPLE, Measured, Shop, Wrk

WORKING = [*SAMPLE, "0.02"]
QUICK = ("drain=1s", "keep_old_for=1s")


def main(switches: int = 20) -> None:
    rows: list[tuple[str, Measured]] = []
    with tempfile.TemporaryDirectory(prefix="uno-bench-") as folder:
        shop = Shop(Path(folder), instances=3, command=WORKING)
        try:
            shop.deploy("v0", "blue-green", "verify_for=1s")
            load = Wrk(shop.port)
            time.sleep(15)
            rows.append(("steady", load.stop()))
            load = Wrk(shop.port)
            for number in range(1, switches + 1):
                shop.deploy(f"v{number}", "blue-green", "verify_for=1s", *QUICK)
            rows.append((f"{switches} blue-green switches", load.stop()))
            load = Wrk(shop.port)
            shop.deploy("vc", "canary", "increment_interval=3s", *QUICK)
            rows.append(("a whole canary", load.stop()))
        finally:
            shop.close()
    with tempfile.TemporaryDirectory(prefix="uno-bench-") as folder:
        shop = Shop(Path(folder), instances=6, command=WORKING)
        try:
            shop.deploy("v1", "rolling")
            load = Wrk(shop.port)
            time.sleep(10)
            rows.append(("steady, 6 instances", load.stop()))
            load = Wrk(shop.port)
            shop.deploy("v2", "rolling")
            shop.deploy("v3", "rolling", "batch_size=2")
            rows.append(("two rolling updates of 6", load.stop()))
        finally:
            shop.close()
    steady = rows[0][1]
    print(f"{'':28} {'requests':>9} {'failed':>7} {'/s':>7} {'p50 ms':>8} {'p99 ms':>8} {'p99 ratio':>10}")
    for name, seen in rows:
        if name.startswith("steady"):
            steady = seen
        print(
            f"{name:28} {seen.requests:9} {seen.failed:7} {seen.per_second:7.0f}"
            f" {seen.p50:8.2f} {seen.p99:8.2f}"
            f" {seen.p99 / steady.p99:9.2f}"
        )
    print(json.dumps({name: {"failed": s.failed, "p99": s.p99} for name, s in rows}), file=sys.stderr)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
