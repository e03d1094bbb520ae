"""`uno power`: what a canary would catch, before it is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from uno_judge_sequential import flags
from uno_judge_sequential.answering import document, guarded, lasting, output, percent, table

if TYPE_CHECKING:
    from uno_judge_sequential.power.report import Report


@click.command()
@click.option("--rps", type=flags.RATE, required=True, help="Requests a second, of both releases together.")
@click.option("--error-rate", type=flags.SHARE, required=True, help="Of the old release: 0.1% or 0.001.")
@click.option("--initial", type=flags.PERCENT, default="10", show_default=True, help="As initial_percentage.")
@click.option(
    "--increments",
    type=flags.PERCENTS,
    default="25,50,75,100",
    show_default=True,
    help="The shares that follow.",
)
@click.option(
    "--interval", type=flags.DURATION, default="5m", show_default=True, help="As increment_interval."
)
@click.option("--hold-back", type=flags.PERCENT, default=None, help="As hold_back; without it none.")
@click.option(
    "--window",
    type=flags.DURATION,
    default="10s",
    show_default=True,
    help="Between two looks: the longer of look_every and what the provider can do.",
)
@click.option("--margin", type=flags.RATIO, default="1.5", show_default=True, help="The judge's option.")
@click.option("--alpha", type=flags.ALPHA, default="1%", show_default=True, help="The judge's option.")
@click.option("--floor", type=flags.SHARE, default=None, help="The judge's option; without it none.")
@click.option(
    "--target", type=flags.RATIO, default="20", show_default=True, help="Warn where this ratio gets through."
)
@click.option(
    "--budget",
    type=click.IntRange(min=0),
    default=500,
    show_default=True,
    help="Warn where a broken release costs more bad answers.",
)
@click.option(
    "--runs",
    type=click.IntRange(min=20, max=100_000),
    default=300,
    show_default=True,
    help="Canaries that are tried for each ratio.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed, the same numbers.")
@output
def power(
    *,
    rps: float,
    error_rate: float,
    initial: float,
    increments: Sequence[float],
    interval: float,
    hold_back: float | None,
    window: float,
    margin: float,
    alpha: float,
    floor: float | None,
    target: float,
    budget: int,
    runs: int,
    seed: int,
    output: str,
) -> None:
    """Try out what a canary would catch, how fast, and at what cost in bad answers.

    Canaries are made up and judged by the judge `sequential` itself. uno.yaml is not read: what counts is
    on the command line. Latency is left out, and answers are taken to fail each by itself.
    """

    def work() -> None:
        from uno_judge_sequential.options import SequentialOptions
        from uno_judge_sequential.power.canaries import Canary, steps
        from uno_judge_sequential.power.odds import Trial
        from uno_judge_sequential.power.report import report

        canary = Canary(
            rps=rps,
            error_rate=error_rate,
            shares=steps(initial, increments, hold_back),
            interval=interval,
            window=window,
        )
        options = SequentialOptions(margin=margin, alpha=alpha, floor=floor)
        made = report(Trial(options=options, runs=runs, seed=seed), canary, target=target, budget=budget)
        if output == "json":
            document(made.as_json())
        else:
            _show(made)

    guarded(output, work)


def _show(made: Report) -> None:
    canary, options = made.canary, made.trial.options
    shares = ", ".join(f"{share:g}" for share in canary.shares)
    floor = f", floor {percent(options.floor)}" if options.floor else ""
    click.echo(
        f"{canary.rps:g} requests a second, {percent(canary.error_rate)} of them bad; {shares} %,"
        f" {lasting(canary.interval)} each, a window every {lasting(canary.window)}"
    )
    click.echo(
        f"margin {options.margin:g}, alpha {percent(options.alpha)}{floor};"
        f" {made.trial.runs} canaries each, seed {made.trial.seed}"
    )
    click.echo()
    columns = ("times worse", "errors", "caught", "median", "9 in 10", "bad answers", "requests")
    table(columns, [_row(odds.as_json()) for odds in made.odds])
    click.echo()
    for line in made.lines():
        click.echo(line)


def _row(odds: Mapping[str, Any]) -> Sequence[str]:
    median, ninth, needed = odds["median_seconds"], odds["p90_seconds"], odds["requests_needed"]
    return (
        "broken" if odds["ratio"] is None else f"{odds['ratio']:g}",
        percent(odds["error_rate"]),
        percent(odds["caught"] / odds["runs"]),
        "-" if median is None else lasting(median),
        "-" if ninth is None else lasting(ninth),
        f"{odds['bad_answers']:,.0f}",
        "-" if needed is None else f"{needed:,.0f}",
    )
