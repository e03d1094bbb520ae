"""One verdict out of many findings."""

from __future__ import annotations

from collections.abc import Sequence

from uno_core.model import Analysis, Finding, Verdict

_ORDER = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.PASS)


def combine(findings: Sequence[Finding]) -> Analysis:
    """The worst finding decides: one FAIL fails, and only where all pass it is a PASS.

    No finding at all is INCONCLUSIVE: silence is never a pass. What is advisory counts for nothing.
    """
    verdicts = {finding.verdict for finding in findings if not finding.advisory} or {Verdict.INCONCLUSIVE}
    return Analysis(verdict=next(v for v in _ORDER if v in verdicts), findings=tuple(findings))
