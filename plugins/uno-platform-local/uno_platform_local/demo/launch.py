"""Starts the sample: `launch PORT VERSION FAULTY FLAGS`; the one version that is FAULTY gets the flags."""

from __future__ import annotations

import asyncio
import sys

from uno_platform_local.demo.sample import Sample

if __name__ == "__main__":
    _, port, version, faulty, flags = sys.argv
    given = flags.split() if version == faulty else []
    asyncio.run(Sample(version, faulty="faulty" in given, sick="sick" in given).run(int(port)))
