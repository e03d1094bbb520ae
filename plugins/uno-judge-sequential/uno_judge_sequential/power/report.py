"""All that `uno power` has to say, as one value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import asdict, frozen

from uno_judge_sequential.answering import percent
from uno_judge_sequential.power.advice import Advice, blind, costly
from uno_judge_sequential.power.canaries import Canary
from uno_judge_sequential.power.odds import RATIOS, Odds, Trial


@frozen(kw_only=True)
class Report:
    """smallest: the smallest regression that is caught nine times in ten; None: nothing is."""

    canary: Canary
    trial: Trial
    odds: Sequence[Odds]
    smallest: Odds | None
    advice: Sequence[Advice]

    @property
    def false(self) -> Odds:
        """The release that is no worse than the old one."""
        return self.odds[0]

    @property
    def broken(self) -> Odds:
        """The release that answers nothing well."""
        return self.odds[-1]

    def as_json(self) -> Mapping[str, Any]:
        """The document of `--output json`."""
        canary, options = self.canary, self.trial.options
        return {
            "canary": {
                "rps": canary.rps,
                "error_rate": canary.error_rate,
                "shares": list(canary.shares),
                "interval": canary.interval,
                "window": canary.window,
            },
            "judge": {"margin": options.margin, "alpha": options.alpha, "floor": options.floor},
            "runs": self.trial.runs,
            "seed": self.trial.seed,
            "ratios": [odds.as_json() for odds in self.odds],
            "smallest": self.smallest.as_json() if self.smallest else None,
            "false_rollbacks": {
                "caught": self.false.caught,
                "runs": self.false.runs,
                "at_most": round(self.false.at_most, 6),
            },
            "broken_bad_answers": self.broken.as_json()["bad_answers"],
            "least_requests": self.smallest.as_json()["requests_needed"] if self.smallest else None,
            "warnings": [asdict(one) for one in self.advice],
            "left_out": ["latency", "errors that come in bursts", "the way back itself"],
        }

    def lines(self) -> Iterator[str]:
        """What stands below the table."""
        found = self.smallest
        if found is None or found.ratio is None:
            yield "smallest regression caught nine times in ten: none"
        else:
            size = f"{found.ratio:.2g} times ({percent(found.error_rate)})"
            yield f"smallest regression caught nine times in ten: {size}"
        false = self.false
        yield (
            f"false rollbacks: {false.caught} of {false.runs}, so at most {percent(false.at_most)}"
            f" (95 % sure); {percent(self.trial.options.alpha)} are accepted"
        )
        yield f"a broken release costs about {self.broken.bad:,.0f} bad answers"
        if found is not None and found.needed is not None:
            yield f"to pass only what could have been told apart: least_requests: {found.needed:.0f}"
        if self.canary.shares[-2:-1] and self.canary.shares[-2] < 90:
            yield "at 100 % there is nothing to compare with; --hold-back 5 compares one step more"
        for one in self.advice:
            yield f"warning: {one.message}"
            yield from (f"  {remedy}" for remedy in one.remedies)
        yield "left out: latency, errors that come in bursts, and the time that the way back takes"


def report(trial: Trial, canary: Canary, *, target: float, budget: float) -> Report:
    """Try everything. target: the ratio that should be caught; budget: bad answers that may be served."""
    ratios = [ratio for ratio in RATIOS if ratio * canary.error_rate < 1]
    odds = [*(trial.odds(canary, ratio) for ratio in ratios), trial.odds(canary, None)]
    smallest = trial.smallest(canary, odds)
    warnings = [blind(trial, canary, smallest, target), costly(trial, canary, odds[-1], budget)]
    return Report(
        canary=canary,
        trial=trial,
        odds=odds,
        smallest=trial.odds(canary, smallest) if smallest is not None else None,
        advice=[one for one in warnings if one is not None],
    )
