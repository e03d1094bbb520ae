"""The sample of the demo, that ends with an error while a file says so: `fragile PORT VERSION FOLDER`.

A file named as a version in the folder is about all instances of it, one named as an instance about that.
"""

import asyncio
import os
import sys
from pathlib import Path

from uno_platform_local.demo.sample import Sample


async def main():
    _, port, version, folder = sys.argv
    words = [Path(folder, name) for name in (version, os.environ["UNO_INSTANCE"])]
    serving = None
    while serving is None or not serving.done():
        if any(word.exists() for word in words):
            print("it breaks down, as it was told to", flush=True)
            os._exit(3)
        serving = serving or asyncio.create_task(Sample(version, faulty=False, sick=False).run(int(port)))
        await asyncio.sleep(0.02)


asyncio.run(main())
