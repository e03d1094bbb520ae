"""The double that is right passes; the broken ones stand in `broken/notifiers.py`."""

from tests.testing.notified import MemoryNotifierContract


class TestNotifier(MemoryNotifierContract):
    pass
