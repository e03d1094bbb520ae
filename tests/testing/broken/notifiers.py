"""Notifiers, broken in one place each."""

import time

from tests.testing.broken.table import _add
from tests.testing.notified import MemoryNotifier, MemoryNotifierContract, revealed
from uno_core import UnoError


def notifier(test, bug):
    def add(cls):
        _add(MemoryNotifierContract, test, bug, notifier_class=cls)
        return cls

    return add


@notifier("test_making_one_tells_nobody", "it says hello")
class ItSaysHello(MemoryNotifier):
    def begin(self):
        if isinstance(self.receiver, list):
            self.receiver.append("hello")


@notifier("test_how_it_ended_gets_through", "nobody is told which version")
class NobodyIsToldWhichVersion(MemoryNotifier):
    def text(self, notice):
        return f"{notice.application}: {notice.status}"


@notifier("test_each_notice_is_told_by_itself", "only the first one is told")
class OnlyTheFirstOneIsTold(MemoryNotifier):
    def notify(self, notice, timeout):
        if not self.receiver:
            super().notify(notice, timeout)


@notifier("test_every_kind_is_taken", "every notice has a status")
class EveryNoticeHasAStatus(MemoryNotifier):
    def text(self, notice):
        return f"{super().text(notice)} {notice.status.value}"


@notifier("test_any_text_is_taken", "every text can be encoded")
class EveryTextCanBeEncoded(MemoryNotifier):
    def text(self, notice):
        return super().text(notice).encode().decode()


@notifier("test_stdout_is_left_alone", "it prints")
class ItPrints(MemoryNotifier):
    def notify(self, notice, timeout):
        super().notify(notice, timeout)
        print(notice.message)


@notifier("test_a_notice_is_not_changed", "it takes out what it does not tell")
class ItTakesOutWhatItDoesNotTell(MemoryNotifier):
    def text(self, notice):
        notice.data.pop("message", None)
        return super().text(notice)


@notifier("test_what_did_not_get_through_is_raised", "what fails is passed over")
class WhatFailsIsPassedOver(MemoryNotifier):
    def notify(self, notice, timeout):
        if isinstance(self.receiver, list):
            super().notify(notice, timeout)


@notifier("test_an_error_holds_no_secret", "the error holds the address as it is")
class TheErrorHoldsTheAddressAsItIs(MemoryNotifier):
    def problem(self):
        return UnoError("nobody is there", found=revealed(self.services))


@notifier("test_it_comes_back_in_time", "the timeout is not looked at")
class TheTimeoutIsNotLookedAt(MemoryNotifier):
    def notify(self, notice, timeout):
        if self.receiver == "hung":
            time.sleep(0.7)
        super().notify(notice, timeout)


@notifier("test_closing_twice_is_closing_once", "what is closed cannot be closed")
class WhatIsClosedCannotBeClosed(MemoryNotifier):
    def close(self):
        self.receiver.remove(self.receiver[-1])
