"""Starts the sample: `launch PORT VERSION FAULTY FLAGS [DELAY]`; the version FAULTY gets the flags.

FLAGS are `faulty`, `sick` or both; DELAY is how many seconds an answer takes.
"""

from __future__ import annotations

import asyncio
import sys

from uno_platform_local.demo.sample import Sample

if __name__ == "__main__":
    _, port, version, faulty, flags, *delay = sys.argv
    given = flags.split() if version == faulty else []
    sample = Sample(
        version, faulty="faulty" in given, sick="sick" in given, delay=float(delay[0]) if delay else 0.0
    )
    asyncio.run(sample.run(int(port)))
