"""`uno report`: of which deployment, where it is written, and what it never writes over."""

from __future__ import annotations

import pytest


@pytest.fixture
def deployed(shop):
    shop.world.live("v1")
    assert shop.uno("deploy", "--version", "v2", "--reason", "the March release").code == 0
    assert shop.uno("deploy", "--version", "v3", "--option", "platform.broken=[v3]", "--option",
                    "strategy.ready_timeout=1s").code == 3  # fmt: skip
    return shop


def test_the_last_one_is_written_to_a_file_of_its_name(deployed):
    said = deployed.uno("report")
    assert (said.code, said.out, said.err) == (0, "shop-test-2.html\n", "")
    text = (deployed.root / "shop-test-2.html").read_text()
    assert "rolled back" in text
    assert "v3 over v2" in text


@pytest.mark.parametrize("named", ["1", "shop-test-1"])
def test_another_one_by_its_id_or_its_number(deployed, named):
    said = deployed.uno("report", named, "--format", "markdown")
    assert (said.code, said.out) == (0, "shop-test-1.md\n")
    text = (deployed.root / "shop-test-1.md").read_text()
    assert text.startswith("## ✅ shop-test-1: v2 successful\n\nv2 serves")
    assert "- reason: the March release" in text
    assert "traffic: blue 0 %, green 100 %" in text


def test_it_can_be_piped(deployed):
    said = deployed.uno("report", "--format", "markdown", "--output", "-")
    assert said.out.startswith("## ↩️ shop-test-2: v3 rolled back")
    assert sorted(path.name for path in deployed.root.glob("*.md")) == []


@pytest.mark.parametrize("form", ["html", "markdown"])
def test_a_report_is_written_anew_and_nothing_else_is(deployed, form):
    flags = ("report", "--format", form, "--output", "report")
    assert deployed.uno(*flags).code == 0
    assert deployed.uno(*flags).code == 0
    notes = deployed.root / "notes.md"
    notes.write_text("## what I have to remember\n")
    said = deployed.uno("report", "--format", form, "--output", "notes.md")
    assert said.code == 2
    assert "notes.md" in said.err
    assert "name another file: --output FILE" in said.err
    assert notes.read_text() == "## what I have to remember\n"


def test_one_that_is_not_there(deployed):
    said = deployed.uno("report", "17")
    assert said.code == 2
    assert "17" in said.err
    assert not list(deployed.root.glob("*.html"))


def test_a_folder_that_is_not_there(deployed):
    said = deployed.uno("report", "--output", "nowhere/report.html")
    assert said.code == 2
    assert "the report cannot be written" in said.err
    assert "No such file or directory" in said.err
    assert "--output - for stdout" in said.err


def test_one_that_is_under_way_is_told_as_far_as_it_is(shop):
    shop.left("--option", "strategy.hold=1h")
    said = shop.uno("report", "--format", "markdown", "--output", "-")
    assert said.code == 0
    assert "⏳ shop-test-1: v2" in said.out
    assert "| no answer in the journal |" in said.out
    assert "- has taken: " in said.out


def test_a_configuration_that_is_none(shop):
    (shop.root / "uno.yaml").write_text("application: [")
    said = shop.uno("report")
    assert said.code == 2
    assert "uno.yaml" in said.err
