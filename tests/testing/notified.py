"""A notifier that is right, and the contract held against it."""

import pytest

from uno_core import Notifier, Secret, UnoError
from uno_core.testing import NotifierContract


class MemoryNotifier(Notifier):
    """Tells a list. `away` is a receiver that is not there, `hung` one that does not answer."""

    def __init__(self, options, services):
        super().__init__(options, services)
        self.receiver = options
        self.begin()

    def begin(self):
        pass

    def notify(self, notice, timeout):
        if self.receiver in ("away", "hung"):
            raise self.problem()
        self.receiver.append(self.text(notice))

    def problem(self):
        return UnoError("nobody is there", found=f"the receiver is {self.receiver}")

    def text(self, notice):
        return f"{notice.application} {notice.version} {notice.status}: {notice.message}"


class MemoryNotifierContract(NotifierContract):
    notifier_class = MemoryNotifier
    short = 0.05
    grace = 0.5

    @pytest.fixture
    def receiver(self):
        return []

    @pytest.fixture
    def notifier(self, services, receiver):
        return self.notifier_class(receiver, services)

    @pytest.fixture
    def delivered(self, receiver):
        return lambda: list(receiver)

    @pytest.fixture
    def unreachable(self, services):
        return self.notifier_class("away", services)

    @pytest.fixture
    def hanging(self, services):
        return self.notifier_class("hung", services)


def revealed(services):
    return services.secrets.reveal(Secret("TOKEN"))
