"""Whether the slots got the shares of the requests that the split gives them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from uno_core.contracts.judge import Window
from uno_core.model import Finding, Verdict

DEVIATIONS = 5.0
"""Standard deviations of a binomial count beyond which chance is no explanation: one in a million."""

TOLERANCE = 0.25
"""What is let pass of a share, whatever chance says: counts of two slots are not read at one instant."""


def unlike(windows: Sequence[Window]) -> Finding | None:
    """INCONCLUSIVE where the candidate's share differs from its split beyond chance; None otherwise.

    A router that splits requests at random gives the candidate a binomial count. Connections that live
    long (gRPC, websockets), sticky clients and caches of DNS do not follow a new split: then what was
    measured is not what the split would show, and says little about the next one.
    """
    compared = [w for w in windows if not w.baseline and w.stable is not None and w.share is not None]
    if not compared:
        return None
    share = (compared[-1].share or 0.0) / 100
    same = [w for w in compared if w.share == compared[-1].share]
    seen = sum(w.candidate.requests for w in same)
    total = seen + sum(w.stable.requests for w in same if w.stable is not None)
    wanted = share * total
    beyond = abs(seen - wanted) > DEVIATIONS * math.sqrt(total * share * (1 - share)) + 1
    if not share or not beyond or abs(seen - wanted) <= TOLERANCE * wanted:
        return None
    return Finding(
        verdict=Verdict.INCONCLUSIVE,
        metric="share",
        reason=f"share: {seen / total:.1%} of {total:,.0f} requests came to it, not {share:.1%}: "
        "what keeps clients where they are (gRPC, websockets, stickiness, DNS) does not follow the split",
        numbers={"requests": seen, "all": total, "share": seen / total, "split": share},
    )
