"""What plugins show of an answer and of a URL: one line, and no secret."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uno_core import web


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ann:secret@host:8443/a?b=c", "https://host:8443/a?b=c"),
        ("http://ann:se/cret@host/a", "http://host/a"),
        ("http://ann:s@cret@host/", "http://host/"),
        ("http://host/@me", "http://host/@me"),
        ("http://[::1]:80/", "http://[::1]:80/"),
        ("no url", "no url"),
    ],
)
def test_a_url_is_shown_without_its_password(url, shown):
    assert web.public(url) == shown


@given(st.text(alphabet=st.characters(exclude_categories=["C"]), min_size=1))
def test_no_password_is_ever_shown(password):
    assert "hunter2" not in web.public(f"http://ann:hunter2{password}@host/path")


@given(st.text())
def test_a_line_is_one_line_that_drives_no_terminal(text):
    assert web.line(text).isprintable()
    assert len(web.line(text, 10)) <= 11
    assert "\n" not in web.excerpt(text)


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://localhost:80", True),
        ("http://a.localhost", True),
        ("http://127.9.9.9/", True),
        ("http://[::1]/", True),
        ("http://localhost.example.com", False),
        ("http://10.0.0.1", False),
        ("", False),
    ],
)
def test_what_is_on_this_machine(url, here):
    assert web.on_loopback(url) is here


def test_a_status_that_nobody_knows_has_no_phrase():
    assert (web.phrase(404), web.phrase(999)) == ("Not Found", "")
