"""Health checks, metric providers and judges, broken in one place each."""

import time
from datetime import datetime

from attrs import evolve

from tests.testing import doubles
from tests.testing.broken.table import check, counters, history, judge
from uno_core import Bounds, Counters, Figures, Finding, NoData, Probe, Verdict


@check("test_what_is_healthy_passes", "nobody is good enough")
class NobodyIsGoodEnough(doubles.MemoryCheck):
    def check(self, target, timeout):
        return Probe(target=str(target), healthy=False, answer="no")


@check("test_what_is_unhealthy_fails", "whoever answers is healthy")
class WhoeverAnswersIsHealthy(doubles.MemoryCheck):
    def check(self, target, timeout):
        return evolve(super().check(target, timeout), healthy=True)


@check("test_what_is_unhealthy_fails", "bad health is an exception")
class BadHealthIsAnException(doubles.MemoryCheck):
    def check(self, target, timeout):
        probe = super().check(target, timeout)
        if not probe.healthy:
            raise RuntimeError("503")
        return probe


@check("test_the_answer_is_in_words", "no reason is given")
class NoReasonIsGiven(doubles.MemoryCheck):
    def check(self, target, timeout):
        return evolve(super().check(target, timeout), answer="")


@check("test_the_answer_is_in_words", "the answer is a traceback")
class TheAnswerIsATraceback(doubles.MemoryCheck):
    def check(self, target, timeout):
        return evolve(super().check(target, timeout), answer="Traceback (most recent call last):\n  File")


@check("test_the_probe_names_its_target", "every target has one name")
class EveryTargetHasOneName(doubles.MemoryCheck):
    def check(self, target, timeout):
        return evolve(super().check(target, timeout), target="the service")


@check("test_a_check_changes_nothing", "the first answer is kept")
class TheFirstAnswerIsKept(doubles.MemoryCheck):
    first = None

    def check(self, target, timeout):
        self.first = self.first or super().check(target, timeout)
        return self.first


@check("test_what_cannot_be_reached_is_unhealthy", "whom nobody reaches raises")
class WhomNobodyReachesRaises(doubles.MemoryCheck):
    def check(self, target, timeout):
        if target.host == "nowhere":
            raise ConnectionRefusedError
        return super().check(target, timeout)


@check("test_a_check_ends_at_its_timeout", "the timeout is not looked at")
class TheTimeoutIsNotLookedAt(doubles.MemoryCheck):
    def check(self, target, timeout):
        time.sleep(0.7)
        return super().check(target, timeout)


@check("test_a_check_ends_at_its_timeout", "running out of time is health")
class RunningOutOfTimeIsHealth(doubles.MemoryCheck):
    def check(self, target, timeout):
        return evolve(super().check(target, timeout), healthy=target.host == "hung")


@check("test_what_is_a_target_is_told", "not told")
class NotTold(doubles.MemoryCheck):
    per_instance = "{host}"


@counters("test_it_tells_what_it_knows", "nothing is known of anybody")
class NothingIsKnownOfAnybody(doubles.MemoryCounters):
    def sample(self, query):
        return self.nobody()


@history("test_it_tells_what_it_knows", "nothing is known of anybody")
class NothingIsKnownOfAnybodyToo(doubles.MemoryHistory):
    def window(self, query, start, end):
        return self.nobody()


@history("test_the_other_way_of_reading_is_unsupported", "counters are made up from the history")
class CountersAreMadeUpFromTheHistory(doubles.MemoryHistory):
    def sample(self, query):
        return Counters(at=self.at(), series="history", figures=self.figures())


@counters("test_figures_make_sense", "an average of nothing is not a number")
class AnAverageOfNothingIsNotANumber(doubles.MemoryCounters):
    def figures(self):
        return evolve(super().figures(), values={"cpu": float("nan")})


@counters("test_figures_make_sense", "errors are counted apart from requests")
class ErrorsAreCountedApartFromRequests(doubles.MemoryCounters):
    def figures(self):
        return Figures(requests=1, errors=2)


@counters("test_latencies_are_counts_between_edges", "counts are cumulative over the edges")
class CountsAreCumulativeOverTheEdges(doubles.MemoryCounters):
    def figures(self):
        counts = dict.fromkeys((0.1, 0.5, 1.0), self.requests)
        return evolve(super().figures(), latency=counts)


@counters("test_silence_is_no_data_and_not_zero", "nothing known is zero errors")
class NothingKnownIsZeroErrors(doubles.MemoryCounters):
    def nobody(self):
        return Counters(at=self.at(), series="none", figures=Figures())


@counters("test_the_other_way_of_reading_is_unsupported", "a window is made up from what stands now")
class AWindowIsMadeUpFromWhatStandsNow(doubles.MemoryCounters):
    def window(self, query, start, end):
        return self.figures()


@counters("test_counters_say_when_and_of_what", "a time without its zone")
class ATimeWithoutItsZone(doubles.MemoryCounters):
    def at(self):
        return datetime.now()  # noqa: DTZ005 - the bug


@counters("test_counters_say_when_and_of_what", "a restart would not show")
class ARestartWouldNotShow(doubles.MemoryCounters):
    def series(self):
        return ""


@counters("test_counters_never_go_back", "a rate is told, and no count")
class ARateIsToldAndNoCount(doubles.MemoryCounters):
    asked = 0

    def figures(self):
        self.asked += 1
        return Figures(requests=100.0 / self.asked)


@counters("test_counters_count", "what was read once is kept")
class WhatWasReadOnceIsKept(doubles.MemoryCounters):
    def figures(self):
        return Figures(requests=100.0)


@history("test_a_bad_answer_never_becomes_figures", "what is no number counts as zero")
class WhatIsNoNumberCountsAsZero(doubles.MemoryHistory):
    def ailing(self):
        return Figures(requests=100.0) if self.ailment == "nan" else super().ailing()


@counters("test_a_bad_answer_never_becomes_figures", "who does not answer had nothing to tell")
class WhoDoesNotAnswerHadNothingToTell(doubles.MemoryCounters):
    def ailing(self):
        return Counters(at=self.at(), series=self.series(), figures=Figures())


@counters("test_a_bad_answer_is_told_in_words", "no reason is given")
class NoReasonIsGivenForSilence(doubles.MemoryCounters):
    def ailing(self):
        return NoData("")


@history("test_a_bad_answer_is_told_in_words", "the client's own exception gets out")
class TheClientsOwnExceptionGetsOut(doubles.MemoryHistory):
    def ailing(self):
        raise ConnectionRefusedError(111, "Connection refused")


@judge("test_what_is_good_passes", "it never passes anything")
class ItNeverPassesAnything(doubles.MemoryJudge):
    def finding(self, metric, windows, bound):
        return Finding(verdict=Verdict.INCONCLUSIVE, metric=metric, reason="not sure")


@judge("test_what_is_bad_fails", "bounds are not looked at")
class BoundsAreNotLookedAt(doubles.MemoryJudge):
    def finding(self, metric, windows, bound):
        return super().finding(metric, windows, Bounds())


@judge("test_there_is_one_finding_a_metric", "the first finding is the last one")
class TheFirstFindingIsTheLastOne(doubles.MemoryJudge):
    def judge(self, windows, bounds):
        return super().judge(windows, bounds)[:1]


@judge("test_findings_are_in_words", "a verdict without its reason")
class AVerdictWithoutItsReason(doubles.MemoryJudge):
    def finding(self, metric, windows, bound):
        return evolve(super().finding(metric, windows, bound), reason="")


@judge("test_nothing_seen_is_no_pass", "silence is consent")
class Trusting(doubles.MemoryJudge):
    def silent(self):
        return Verdict.PASS


judge("test_no_requests_are_no_pass", "zero errors of zero requests are good")(Trusting)
judge("test_an_unknown_metric_is_no_pass", "what nobody measures is good")(Trusting)


@judge("test_not_a_number_is_no_pass", "nan is not greater than the bound")
class NanIsNotGreaterThanTheBound(doubles.MemoryJudge):
    def measure(self, metric, windows):
        value = super().measure(metric, windows)
        return 0.0 if value is not None and value != value else value  # noqa: PLR0124 - not a number


@judge("test_there_may_be_nothing_to_compare_with", "there always was a version before")
class ThereAlwaysWasAVersionBefore(doubles.MemoryJudge):
    def judge(self, windows, bounds):
        _ = [w.stable.requests for w in windows]
        return super().judge(windows, bounds)


@judge("test_the_same_windows_give_the_same_findings", "what was seen once is remembered")
class WhatWasSeenOnceIsRemembered(doubles.MemoryJudge):
    seen = ()

    def judge(self, windows, bounds):
        self.seen = (*self.seen, *windows)
        return super().judge(self.seen, bounds)


@judge("test_a_judge_touches_nothing", "the windows are used up")
class TheWindowsAreUsedUp(doubles.MemoryJudge):
    def judge(self, windows, bounds):
        found = super().judge(windows, bounds)
        for window in windows:
            window.candidate.values.clear()
        return found
