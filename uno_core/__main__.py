"""`python -m uno_core` is `uno`."""

from __future__ import annotations

from uno_core.cli import main

if __name__ == "__main__":
    main()
