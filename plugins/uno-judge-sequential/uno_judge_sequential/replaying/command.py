"""`uno replay`: recorded windows, judged again with other margins."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from uno_judge_sequential import flags
from uno_judge_sequential.answering import document, guarded, lasting, output, percent, table

if TYPE_CHECKING:
    from uno_core import Window
    from uno_judge_sequential.replaying.halves import Split
    from uno_judge_sequential.replaying.replays import Replay

MARGINS = (1.25, 1.5, 2.0)


@click.command()
@click.argument("file")
@click.option(
    "--margin", "margins", type=flags.RATIO, multiple=True, help="One more margin beside 1.25, 1.5 and 2."
)
@click.option("--alpha", type=flags.ALPHA, default="1%", show_default=True, help="The judge's option.")
@click.option("--floor", type=flags.SHARE, default=None, help="The judge's option; without it none.")
@click.option("--provider", default=None, help="Whose windows, where a document has those of several.")
@click.option(
    "--split-stable",
    is_flag=True,
    help="Hold the old release against itself: how often is it rolled back falsely?",
)
@click.option(
    "--runs",
    type=click.IntRange(min=20, max=100_000),
    default=200,
    show_default=True,
    help="With --split-stable: how often it is split.",
)
@click.option(
    "--seed",
    type=int,
    default=1,
    show_default=True,
    help="With --split-stable: the same seed, the same numbers.",
)
@output
def replay(
    *,
    file: str,
    margins: Sequence[float],
    alpha: float,
    floor: float | None,
    provider: str | None,
    split_stable: bool,
    runs: int,
    seed: int,
    output: str,
) -> None:
    """Judge recorded windows again: what would each margin have said, and when?

    FILE, or - for stdin, is CSV with the columns start, end, canary_requests, canary_errors,
    stable_requests, stable_errors and if you like share, baseline, skipped; a JSON list of objects with
    these keys; or what `uno show ID --output json` says of a deployment.
    """

    def work() -> None:
        from uno_judge_sequential.options import SequentialOptions
        from uno_judge_sequential.replaying.halves import split
        from uno_judge_sequential.replaying.replays import replayed
        from uno_judge_sequential.replaying.tables import read

        windows = read(file, provider)
        options = [
            SequentialOptions(margin=margin, alpha=alpha, floor=floor)
            for margin in sorted({*MARGINS, *margins})
        ]
        if split_stable:
            made = split(windows, options, runs=runs, seed=seed, where=file)
            _answer_split(made, seed, output)
        else:
            _answer(windows, [replayed(windows, one) for one in options], output)

    guarded(output, work)


def _answer(windows: Sequence[Window], replays: Sequence[Replay], output: str) -> None:
    told = _described(windows)
    if output == "json":
        document({**told, "replays": [one.as_json() for one in replays]})
        return
    before = f" and {told['baseline']} before it" if told["baseline"] else ""
    click.echo(f"{told['windows']} windows of the canary{before}, {told['start']} to {told['end']}")
    for slot in ("canary", "stable"):
        requests, errors = told[f"{slot}_requests"], told[f"{slot}_errors"]
        rate = percent(errors / requests) if requests else "none"
        click.echo(f"{slot}: {requests:,.0f} requests, {errors:,.0f} bad ({rate})")
    click.echo()
    limit = replays[0].limit
    columns = ("margin", "verdict", "log e", "greatest", "rolled back", "window", "bad answers")
    table(columns, [_row(one) for one in replays])
    click.echo()
    click.echo(f"rolled back where log e reaches {limit:.2f}, the log of one in {math.exp(limit):,.0f}")
    for one in replays:
        click.echo(f"{one.options.margin:g}: {one.finding.reason}")


def _described(windows: Sequence[Window]) -> Mapping[str, Any]:
    judged = [one for one in windows if not one.baseline]
    stable = [one.stable for one in judged if one.stable is not None]
    return {
        "windows": len(judged),
        "baseline": len(windows) - len(judged),
        "start": windows[0].start.isoformat(),
        "end": windows[-1].end.isoformat(),
        "canary_requests": math.fsum(one.candidate.requests for one in judged),
        "canary_errors": math.fsum(one.candidate.errors for one in judged),
        "stable_requests": math.fsum(one.requests for one in stable),
        "stable_errors": math.fsum(one.errors for one in stable),
    }


def _row(one: Replay) -> Sequence[str]:
    return (
        f"{one.options.margin:g}",
        one.finding.verdict.name,
        f"{one.log_e:.2f}",
        f"{one.greatest:.2f}",
        "-" if one.after is None else f"after {lasting(one.after)}",
        "-" if one.window is None else str(one.window),
        f"{one.bad:,.0f}",
    )


def _answer_split(made: Split, seed: int, output: str) -> None:
    if output == "json":
        rows = [row.as_json() for row in made.rows]
        told = {"windows": made.windows, "bad_answers": made.bad, "alpha": made.alpha, "seed": seed}
        document({**told, "margins": rows, "smallest_margin": made.smallest})
        return
    from uno_judge_sequential.replaying.halves import FEW_BAD, STRETCH

    click.echo(
        f"{made.windows} windows of the old release with {made.bad:,.0f} bad answers, held against itself"
        f" {made.rows[0].runs} times, {min(STRETCH, made.windows)} windows at a time, seed {seed}"
    )
    click.echo()
    table(("margin", "split by request", "split by window"), [_halves(row.as_json()) for row in made.rows])
    click.echo()
    accepted = percent(made.alpha)
    if made.smallest is None:
        click.echo(f"no margin of these stays within {accepted} both ways: try a greater --margin")
    else:
        click.echo(f"smallest margin whose false rollbacks stay within {accepted}: {made.smallest:g}")
    if made.bad < FEW_BAD:
        click.echo(f"warning: {made.bad:,.0f} bad answers say little of how they come; take a longer history")


def _halves(row: Mapping[str, Any]) -> Sequence[str]:
    runs = row["runs"]
    by_request, by_window = (percent(row[name] / runs) for name in ("by_request", "by_window"))
    return (f"{row['margin']:g}", by_request, by_window)
