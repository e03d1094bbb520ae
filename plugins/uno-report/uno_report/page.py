"""The report as one HTML page: no network, no script, light and dark, readable on paper and on a phone."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

from uno_core import Story
from uno_report import measured, telling
from uno_report.charts import Axis, Chart, draw

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #ffffff; --faint: #66707b; --rule: #d5dae0;
  --candidate: #0b62c4; --stable: #767e87; --good: #1a7f37; --back: #b35900; --bad: #c4242e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ec; --paper: #14171b; --faint: #98a2ad;
  --rule: #343a42; --candidate: #6cb2ff; --stable: #a5adb6; --good: #4fc46b; --back: #f0a04b;
  --bad: #ff7b80; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.6rem; margin: 0 0 .2rem; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; }
.status { display: inline-block; font-weight: 600; border: 2px solid; border-radius: .4rem;
  padding: 0 .5rem; }
.good { color: var(--good); } .back { color: var(--back); } .bad { color: var(--bad); }
.going { color: var(--candidate); }
.why { font-size: 1.1rem; margin: .8rem 0 1.2rem; overflow-wrap: anywhere; white-space: pre-wrap; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 0; }
dt { color: var(--faint); } dd { margin: 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .7rem .3rem 0;
  border-bottom: 1px solid var(--rule); overflow-wrap: anywhere; } th { color: var(--faint);
  font-weight: 600; white-space: nowrap; }
td:first-child, .timed td:nth-child(2) { white-space: nowrap; font-variant-numeric: tabular-nums; }
.scroll svg, .scroll table { min-width: 36rem; }
figure { margin: 0 0 1.6rem; } figcaption { font-weight: 600; margin-bottom: .3rem; }
figcaption small { font-weight: 400; color: var(--faint); }
svg { width: 100%; height: auto; display: block; } svg text { fill: var(--faint); font-size: 12px; }
.grid { stroke: var(--rule); } .mark { stroke: var(--faint); stroke-dasharray: 2 4; }
.line.back, line.back { stroke: var(--back); stroke-width: 2; }
.limit { stroke: var(--bad); stroke-dasharray: 8 4; }
.line { fill: none; stroke-width: 1.6; stroke-linejoin: round; } .line.strong { stroke-width: 2.6; }
.candidate { stroke: var(--candidate); } .stable { stroke: var(--stable); stroke-dasharray: 5 3; }
footer { margin-top: 3rem; color: var(--faint); font-size: .85rem; }
@media print { body { max-width: none; } figure, tr { break-inside: avoid; } }
"""


def page(story: Story) -> str:
    """The whole page. Every foreign word in it is escaped: versions, reasons, answers of instances."""
    title = f"{story.record.id}: {story.record.version}"
    words, look = telling.status(story)
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<span class="status {look}">{escape(words)}</span>',
        f'<p class="why">{escape(story.why)}</p>',
        "<dl>",
        *(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in telling.facts(story)),
        "</dl>",
        *_charts(story),
        *_table("Evidence", ("metric", "verdict", "found", "numbers"), list(telling.findings(story))),
        *_table("Steps", ("time", "took", "what", "outcome"), list(telling.steps(story))),
        *_table("Who said what", ("time", "who", "what", "became"), list(telling.words(story))),
        "<footer>Times are UTC. Written by uno; this page needs no network.</footer>",
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"{telling.MARK}\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(body)
        + "\n</body>\n</html>\n"
    )


def escape(text: str) -> str:
    """Foreign text that is nothing but text."""
    return html.escape(telling.printable(text))


def _charts(story: Story) -> Iterator[str]:
    axis = Axis(start=story.record.created, end=story.record.updated, marks=list(measured.marks(story)))
    proof, limit = measured.evidence(story)
    charts = (
        Chart(
            title="Traffic of the new release",
            told="The share of the traffic that the new release had, in percent, over time.",
            lines=measured.split(story),
            unit=lambda v: f"{v:.0f} %",
            top=100.0,
        ),
        Chart(
            title="Failed requests",
            told="The share of failed requests of the new release and of the one before, in percent.",
            lines=measured.errors(story),
            unit=lambda v: f"{v:.3g} %",
            top=1.0,
        ),
        Chart(
            title="Latency",
            told="Median and 95th percentile of both releases, in milliseconds; the 95th is stronger.",
            lines=measured.latency(story),
            unit=lambda v: f"{v:.3g} ms",
            top=1.0,
        ),
        Chart(
            title="Evidence against the new release",
            told="The natural logarithm of the e-value; at the limit the release is taken back.",
            lines=proof,
            unit=lambda v: f"{v:.3g}",
            limit=(limit, "limit"),
        ),
    )
    drawn = [chart for chart in charts if any(line.points for line in chart.lines)]
    if drawn:
        yield "<h2>What was measured</h2>"
    for chart in drawn:
        legend = " · ".join(_named(line.name, line.look) for line in chart.lines)
        yield f"<figure><figcaption>{escape(chart.title)} <small>{legend}</small></figcaption>"
        yield f'<div class="scroll">{draw(chart, axis)}</div></figure>'


def _named(name: str, look: str) -> str:
    drawn = "dashed" if "stable" in look else "solid"
    return escape(f"{name} ({drawn}{', strong' if 'strong' in look else ''})")


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if not rows:
        return
    look = ' class="timed"' if columns[0] == "time" else ""
    yield f'<h2>{escape(title)}</h2>\n<div class="scroll"><table{look}><thead><tr>'
    yield "".join(f'<th scope="col">{escape(column)}</th>' for column in columns) + "</tr></thead><tbody>"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
    yield "</tbody></table></div>"
