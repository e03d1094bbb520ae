"""What docs/exit-codes.md says of common failures is what uno says: each is brought about here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "exit-codes.md"
LONG = ("--option", "strategy.hold=1h")


def page(title: str) -> list[list[str]]:
    """The messages under a title of the page, each line by line."""
    part = PAGE.read_text("utf-8").partition(f"\n### {title}\n")[2].partition("\n##")[0]
    blocks = re.findall(r"^```text\n(.*?)^```$", part, re.MULTILINE | re.DOTALL)
    assert blocks, title
    return [block.splitlines() for block in blocks]


def says(text: str, lines: list[str]) -> None:
    """Each of the lines was printed, in this order; an ellipsis stands for anything."""
    rows = iter(text.splitlines())
    for line in lines:
        pattern = ".+".join(re.escape(" ".join(part.split())) for part in line.split("…"))
        found = any(re.search(pattern.replace(r"\ .+", " .+"), " ".join(row.split())) for row in rows)
        assert found, f"{line}\n--- was not printed in its place:\n{text}"


def test_a_release_that_is_not_ready(shop):
    shop.world.live("v1")
    broken = ("--option", "platform.broken=[v2]", "--option", "strategy.ready_timeout=1s")
    said = shop.uno("deploy", "--version", "v2", *broken)
    assert said.code == 3
    says(said.err, page("A release that is not ready")[0])


def test_no_evidence(shop):
    shop.install("ailing", "[uno]\nailing = ailing\n")
    shop.world.live("v1")
    idle = (
        "strategy.metrics_threshold.error_rate=1%",
        "strategy.increment_interval=1s",
        "evidence_timeout=1s",
        "metrics={name: ailing, does: idle}",
    )
    said = shop.uno(
        "deploy", "--version", "v2", "--strategy", "canary", *(w for one in idle for w in ("--option", one))
    )
    assert said.code == 3
    says(said.err, page("No evidence")[0])


def test_locked_by_one_that_lives_and_by_one_that_died(shop):
    process = shop.begun(*LONG)
    living, left = page("Locked")
    said = shop.uno("deploy", "--version", "v3")
    assert said.code == 5
    says(said.err, living)
    process.kill()
    shop.end(process)
    said = shop.uno("deploy", "--version", "v3")
    assert said.code == 5
    says(said.err, left)


def test_drift(shop):
    process = shop.begun("--option", "strategy.gate=true")
    shop.until_status("paused")
    with shop.world.change() as world:
        world["split"] = {"blue": 30.0, "green": 70.0}
    shop.uno("promote")
    ended = shop.end(process)
    assert ended.code == 7
    says(ended.err, page("Drift")[0])


def test_not_settled(shop):
    shop.world.live("v1")
    with shop.world.change() as world:
        world["slots"]["green"] = {
            "counts": [{**row, "version": "v2"} for row in world["slots"]["blue"]["counts"]],
            "ready_at": 0.0,
        }
        world["split"] = {"blue": 30.0, "green": 70.0}
    said = shop.uno("deploy", "--version", "v3")
    assert said.code == 7
    says(said.err, page("Not settled")[0])


def test_the_way_back_failed(shop):
    shop.world.live("v1")
    shop.world.fault("forbidden")
    said = shop.uno("deploy", "--version", "v2", "--option", "rollback_timeout=1s")
    assert said.code == 4
    says(said.err, page("The way back failed")[0])


def test_a_broken_plugin(shop):
    shop.install("uno-strategy-torn", "[uno]\ntorn = no_such_module\n")
    shop.world.live("v1")
    said = shop.uno("deploy", "--version", "v2", "--strategy", "torn")
    assert said.code == 1
    says(said.err, page("A broken plugin")[0])


def test_the_state_store_is_away(shop):
    with (shop.root / "uno.yaml").open("a") as file:
        file.write("state: {name: file, directory: state}\n")
    (shop.root / "state").mkdir(mode=0o700)
    (shop.root / "state" / "journal.db").write_bytes(b"no database, whatever it is called" * 100)
    shop.world.live("v1")
    said = shop.uno("deploy", "--version", "v2")
    assert said.code == 1
    says(said.err, page("The state store is away")[0])


@pytest.mark.parametrize(("fault", "code"), [("blind", 1), ("forbidden", 4)])
def test_what_the_platform_refuses_ends_as_the_table_says(shop, fault, code):
    shop.world.live("v1")
    shop.world.fault(fault)
    assert shop.uno("deploy", "--version", "v2", "--option", "rollback_timeout=1s").code == code


def test_every_failure_of_the_page_is_brought_about():
    text = PAGE.read_text("utf-8")
    told = re.findall(r"^### (.*)$", text, re.MULTILINE)
    here = Path(__file__).read_text("utf-8")
    silent = [title for title in told if f'page("{title}")' not in here]
    assert silent == ["Not permitted"]  # it shows no message of its own


def test_every_link_within_the_page_leads_somewhere():
    text = PAGE.read_text("utf-8")
    titles = {
        re.sub(r"[^a-z ]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([\w-]+)\)", text)) <= titles
