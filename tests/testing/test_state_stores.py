"""The stores of uno-core itself pass the contract of state stores."""

import pytest

from tests.testing import correct
from uno_core.journal.memory import MemoryStore
from uno_core.journal.sqlite import FileStore
from uno_core.testing import StateStoreContract


class TestFileStore(StateStoreContract):
    @pytest.fixture
    def open(self, tmp_path):
        opened = []

        def another():
            opened.append(FileStore(path=tmp_path / "state" / "journal.db"))
            return opened[-1]

        yield another
        for store in opened:
            store.close()

    @pytest.fixture
    def die(self):
        """The kernel frees the locks of a process that dies, and what is left of it knows nothing of that."""

        def die(store):
            for lock in store._locks.values():
                lock._file.close()

        return die


class TestMemoryStore(correct.MemoryStateContract):
    pass


class TestMemoryStoreOfTheKernelsKind(StateStoreContract):
    @pytest.fixture
    def open(self):
        store = MemoryStore()
        return lambda: store
