"""Becomes an instance: reads its record and executes its command, with exactly its environment.

Started by path with `python -I -S`, so that it takes milliseconds and no argument, variable or
secret passes through the supervisor's configuration file. Standard library only.
"""

import json
import os
import sys


def main() -> None:
    """Raises SystemExit 126 or 127 with a line in the log where the command cannot be executed."""
    with open(sys.argv[1], encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs a third of the start
        record = json.load(file)
    try:
        os.chdir(record["directory"])
        os.execve(record["argv"][0], record["argv"], record["env"])  # noqa: S606 - that is its purpose
    except FileNotFoundError as error:
        sys.stderr.write(f"command not found: {record['argv'][0]} ({error})\n")
        sys.exit(127)
    except OSError as error:
        sys.stderr.write(f"cannot start {record['argv'][0]}: {error}\n")
        sys.exit(126)


if __name__ == "__main__":
    main()
