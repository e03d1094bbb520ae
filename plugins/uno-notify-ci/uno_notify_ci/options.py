"""The options of the notifier `ci`."""

from __future__ import annotations

from attrs import frozen

from uno_core import option


@frozen(kw_only=True)
class CiOptions:
    """Which CI is spoken to, and what it is told."""

    format: str = option(
        default="auto",
        choices=("auto", "github", "gitlab"),
        help="which CI; `auto` looks at the environment, and says nothing where neither runs it",
    )
    annotations: bool = option(
        default=True, help="GitHub: whether warnings and errors become annotations of the run"
    )
    groups: bool = option(default=True, help="whether each step becomes a section of the log that folds")
    summary: bool = option(default=True, help="GitHub: whether the job's summary says how it ended")
    outputs: bool = option(
        default=True, help="GitHub: whether the step gets outputs: status, exit_code, version, deployment"
    )
