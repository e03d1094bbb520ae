"""What `uno doctor` has found."""

from __future__ import annotations


def looked(shop, *arguments):
    """The findings by what they are about, each with its condition, and the exit code."""
    said = shop.uno("doctor", "--output", "json", *arguments)
    document = said.json
    assert document["exit_code"] == said.code
    for one in document["findings"]:
        assert one["found"]
        assert one["remedy"] or one["condition"] == "ok"
    return said.code, document["findings"]


def about(findings, name):
    return [one for one in findings if one["about"] == name]


def only(findings, name):
    (one,) = about(findings, name)
    return one
