"""`uno init` without its command line: look around, draft a configuration that works, write it."""

from uno_core.beginning.around import look
from uno_core.beginning.draft import Draft, begin, pick, sketches
from uno_core.beginning.file import check, write

__all__ = ["Draft", "begin", "check", "look", "pick", "sketches", "write"]
