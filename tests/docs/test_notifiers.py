"""What the page of notifiers shows is what is sent, and what it says of a signature holds."""

import json
import time

import pytest

from uno_core.testing.notifier import FINISHED
from uno_notify_webhook.body import as_json
from uno_notify_webhook.webhook import signature


@pytest.fixture
def genuine(fences):
    module: dict = {}
    exec(compile(fences("notifiers", "python")[0], "genuine.py", "exec"), module)  # noqa: S102 - the documented example is what is tested
    return module["genuine"]


def test_the_document_of_the_page_is_the_one_that_is_sent(fences):
    shown = json.loads(fences("notifiers", "json")[0])
    sent = as_json(FINISHED, "0" * 32)
    assert list(shown) == list(sent)
    assert {key: type(value) for key, value in shown.items()} == {k: type(v) for k, v in sent.items()}


def test_the_receiver_of_the_page_takes_what_uno_signs_and_nothing_else(genuine):
    now, body = str(int(time.time())), b'{"kind": "finished"}'
    signed = "sha256=" + signature("geheim", now, body)
    assert genuine("geheim", now, signed, body)
    assert not genuine("another", now, signed, body)
    assert not genuine("geheim", now, signed, body + b" ")
    assert not genuine("geheim", str(int(now) + 1), signed, body)
    old = str(int(now) - 1000)
    assert not genuine("geheim", old, "sha256=" + signature("geheim", old, body), body)
