import base64
import html
import json
from urllib.parse import quote

import pytest
from answers import drip, hang
from attrs import evolve
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from status_page import COUNTS, STATS, document, say

from uno_core import ConfigError, Counters, Figures, NoData, Secret, UnoError
from uno_core.testing.fixtures import TableOfSecrets
from uno_metrics_web.options import WebOptions
from uno_metrics_web.provider import WebMetrics

pytest_plugins = ["uno_core.testing.fixtures"]


def test_values_and_counters_are_told(source, asking, blue, clock):
    before = clock.now()
    told = asking(source(say(document())).url, values=STATS, **COUNTS).sample(blue)
    assert isinstance(told, Counters)
    assert told.figures == Figures(requests=100, errors=1, values={"cpu": 0.5, "memory": 30})
    assert before <= told.at <= clock.now()


def test_only_the_values_that_are_asked_for_are_told(source, asking, blue):
    provider = asking(source(say(document())).url, values=STATS)
    assert provider.sample(evolve(blue, metrics=("cpu",))).figures == Figures(values={"cpu": 0.5})
    assert "nothing of it was asked" in provider.sample(evolve(blue, metrics=("error_rate",))).reason


def test_another_process_is_another_series(source, asking, blue):
    answers = [document(), document(), document(pid=8)]
    provider = asking(source(lambda request: request.say(200, answers.pop(0))).url, **COUNTS)
    one, same, other = (provider.sample(blue).series for _ in range(3))
    assert one == same != other


def cpu(value):
    return {"load": {"cpu": value}}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (cpu(None), 'cpu: load.cpu finds nothing in the answer {"load": {"cpu": null}}'),
        ({}, "cpu: load.cpu finds nothing in the answer {}"),
        ([], "load.cpu finds nothing in the answer []"),
        (12, "load.cpu finds nothing in the answer 12"),
        (cpu("0.5"), 'load.cpu is the text "0.5": expected a number; to_number(load.cpu) makes one of it'),
        (cpu(True), "load.cpu is a truth value, true: expected a number"),
        (cpu([0.5]), "load.cpu is a list, [0.5]: expected a number"),
        (cpu({"now": 0.5}), 'load.cpu is an object, {"now": 0.5}: expected a number'),
        (b'{"load": {"cpu": NaN}}', "load.cpu is nan, which is no number to go by"),
        (b'{"load": {"cpu": -Infinity}}', "load.cpu is -inf, which is no number to go by"),
        (b'{"load": {"cpu": 1%s}}' % (b"0" * 400), "load.cpu is inf, which is no number to go by"),
    ],
)
def test_a_value_that_is_no_number_is_no_data(source, asking, blue, answer, reason):
    told = asking(source(say(answer)).url, values={"cpu": "load.cpu"}).sample(blue)
    assert isinstance(told, NoData)
    assert reason in told.reason


def test_an_expression_that_cannot_be_worked_out_is_no_data(source, asking, blue):
    told = asking(source(say(document(processes=[{"rss": "10"}]))).url, values=STATS)
    told = told.sample(evolve(blue, metrics=("memory",)))
    assert told.reason.startswith("memory: sum(processes[].rss) cannot be worked out: ")


def test_what_is_known_is_told_beside_what_is_not(source, asking, blue, logger):
    told = asking(source(say(document(load=None))).url, values=STATS).sample(blue)
    assert evolve(told.figures, unknown={}) == Figures(values={"memory": 30})
    assert "load.cpu finds nothing" in told.figures.unknown["cpu"]
    assert "cpu: load.cpu finds nothing" in str(logger.lines)


@pytest.mark.parametrize(
    ("http", "reason"),
    [
        ({"all": 100}, "errors: http.bad finds nothing in the answer"),
        ({"bad": 0}, "requests: http.all finds nothing in the answer"),
        ({"all": -1, "bad": 0}, "requests: http.all is -1: expected a count"),
        ({"all": 1, "bad": 2}, "2 errors of 1 requests"),
        ({"all": "100", "bad": 0}, 'requests: http.all is the text "100"'),
    ],
)
def test_counters_are_whole_or_there_is_no_sample(source, asking, blue, http, reason):
    """With a part of them the next one would look like a restart, and count everything again."""
    told = asking(source(say(document(http=http))).url, values=STATS, **COUNTS).sample(blue)
    assert isinstance(told, NoData)
    assert reason in told.reason


@pytest.mark.parametrize("pid", [None, True, [1]])
def test_a_process_that_is_not_told_is_no_data(source, asking, blue, pid):
    told = asking(source(say(document(pid=pid))).url, **COUNTS).sample(blue)
    assert told.reason.startswith("process: pid finds no text and no number")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (say(b"oops", 500), "500 Internal Server Error: 'oops'"),
        (say({"cpu": 1}, 404), "404 Not Found: '{\"cpu\": 1}'"),
        (say(b"<html>Sign in</html>"), "200 OK, but no JSON: '<html>Sign in</html>'"),
        (say(b""), "200 OK, but no JSON: (empty)"),
        (say(b"[" * 100_000), "200 OK, but no JSON"),
        (hang, "no answer within 0.5 s"),
        (drip, "no answer within 0.5 s"),
    ],
)
def test_a_failure_says_what_was_found_and_where(source, asking, blue, how, said):
    url = source(how).url
    with pytest.raises(UnoError) as caught:
        asking(url + "/{slot}", values=STATS, timeout=0.5).sample(blue)
    assert said in caught.value.found
    assert caught.value.where == f"{url}/blue"
    assert caught.value.expected
    assert caught.value.remedy


def test_who_is_not_there_is_a_failure(closed, asking, blue):
    with pytest.raises(UnoError) as caught:
        asking(closed, values=STATS).sample(blue)
    assert caught.value.found == "connection refused"


def test_an_answer_without_end_is_broken_off(source, asking, blue):
    def endless(request):
        request.send_response(200)
        request.end_headers()
        request.close_connection = True
        while not request.server.over.is_set():
            request.wfile.write(b" " * 65536)

    with pytest.raises(UnoError) as caught:
        asking(source(endless).url, values=STATS, timeout=60).sample(blue)
    assert caught.value.found == "more than 8 MiB"


def test_placeholders_cannot_break_out_of_the_url(source, asking, blue):
    server = source(say(document()))
    query = evolve(blue, application="a/../b?x=1#y", environment="ü &", version="1 2%")
    provider = asking(server.url + "/{app}/{slot}?e={environment}&v={version}&b={{slot}}", values=STATS)
    assert isinstance(provider.sample(query), Counters)
    assert server.seen[0][1] == "/a%2F..%2Fb%3Fx%3D1%23y/blue?e=%C3%BC%20%26&v=1%202%25&b=%7Bslot%7D"


def test_a_body_is_posted_and_placeholders_cannot_break_out_of_it(source, asking, blue):
    server = source(say(document()))
    body = '{"query": {"app": "{app}", "slot": "{slot}"}}'
    provider = asking(server.url, values=STATS, method="POST", body=body)
    provider.sample(evolve(blue, application='sh"op\\'))
    method, _, headers, sent = server.seen[0]
    assert (method, headers["Content-Type"]) == ("POST", "application/json")
    assert json.loads(sent) == {"query": {"app": 'sh"op\\', "slot": "blue"}}


def test_a_version_that_nobody_knows_is_no_data(source, asking, blue):
    server = source(say(document()))
    told = asking(server.url + "/{version}", values=STATS).sample(evolve(blue, version=""))
    assert told.reason.startswith("nobody knows the version of blue")
    assert not server.seen


def test_a_secret_is_sent_and_never_shown(source, asking, blue):
    def echo(request):
        request.say(200, {"you": request.headers["Authorization"]})

    server = source(echo)
    provider = asking(server.url, values=STATS, headers={"Authorization": Secret("TOKEN"), "X-Plain": "yes"})
    told = provider.sample(blue)
    assert server.seen[0][2]["Authorization"] == "open-sesame"
    assert server.seen[0][2]["X-Plain"] == "yes"
    assert '{"you": "***"}' in told.reason
    assert "open-sesame" not in told.reason
    server.how = lambda request: request.say(403, request.headers["Authorization"].encode())
    with pytest.raises(UnoError) as caught:
        provider.sample(blue)
    assert "open-sesame" not in str(caught.value)


def echoes(sent, cut):
    """Ways in which a server may send back what it was sent: with the status, and a body or a document."""
    begin = "x" * cut
    yield 401, f"no such token: {sent}".encode()
    yield 200, f"{begin} {sent}".encode()
    yield 403, sent[cut:].encode()
    yield 401, sent.encode("latin-1")
    yield 401, f"{begin}<p>{html.escape(sent)}</p>".encode()
    yield 302, f"/login?then={quote(sent, safe='')}".encode()
    yield 401, {"you": sent}
    yield 200, {"you": sent, begin: sent}
    yield 200, {"load": {"cpu": sent}}
    yield 200, {"load": {"cpu": {"you": [begin, sent]}}}


@pytest.fixture
def echoed(source, services, blue):
    """`echoed(secret, cut)`: all that is shown of what a server sends back; `secret` is a header's value."""
    server = source(None)

    def shown(secret, cut):
        known = evolve(services, secrets=TableOfSecrets({"MINE": secret}))
        options = WebOptions(
            url=server.url, values={"cpu": "load.cpu"}, headers={"Authorization": Secret("MINE")}
        )
        for number, _ in enumerate(echoes("", cut)):

            def how(request, number=number):
                scheme, _, sent = request.headers["Authorization"].partition(" ")
                meant = f"{scheme} {sent} {base64.b64decode(sent).decode() if scheme == 'Basic' else ''}"
                status, said = list(echoes(meant, cut))[number]
                request.say(status, said)

            server.how = how
            try:
                yield WebMetrics(options, known).sample(blue).reason
            except UnoError as error:
                yield str(error)

    return shown


LATIN = st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_categories=["Cc"])
SECRETS = st.text(LATIN, min_size=8)


@given(
    secret=SECRETS | SECRETS.map(lambda text: text * 20),
    cut=st.integers(0, 160),
    scheme=st.sampled_from(["Bearer", "Token", "Basic"]),
)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(secret="ab\"cdefghij'klm\\nopq<rst&" * 5, cut=150, scheme="Bearer")
@example(secret="A1b2" * 40 + ".SIGNATURE0123456789", cut=0, scheme="Basic")
def test_no_part_of_a_secret_is_shown_however_it_comes_back(echoed, secret, cut, scheme):
    sent = base64.b64encode(f"me:{secret}".encode()).decode() if scheme == "Basic" else secret
    runs = {text[at : at + 8] for text in (secret, sent) for at in range(len(text) - 7)}
    for shown in echoed(f"{scheme} {sent}", cut):
        assert not [run for run in runs if run in shown], shown


def test_the_token_is_hidden_by_itself_too(source, asking, blue, services):
    services = evolve(services, secrets=TableOfSecrets({"MINE": "Bearer abcdef"}))
    options = WebOptions(
        url=source(say(b"abcdef is wrong", 401)).url, values=STATS, headers={"Authorization": Secret("MINE")}
    )
    with pytest.raises(UnoError) as caught:
        WebMetrics(options, services).sample(blue)
    assert caught.value.found == "401 Unauthorized: '*** is wrong'"


def test_a_redirect_is_not_followed(source, asking, blue):
    other = source(say(document()))
    server = source(lambda request: request.say(302, Location=other.url))
    with pytest.raises(UnoError) as caught:
        asking(server.url, values=STATS, headers={"X-Key": Secret("TOKEN")}).sample(blue)
    assert "302 Found" in caught.value.found
    assert "redirects are not followed" in caught.value.found
    assert not other.seen


def test_a_secret_that_is_not_there_or_breaks_its_line_is_an_error(source, asking, blue):
    url = source(say(document())).url
    with pytest.raises(ConfigError):
        asking(url, values=STATS, headers={"X-Key": Secret("NOBODY")}).sample(blue)
    with pytest.raises(ConfigError) as caught:
        asking(url, values=STATS, headers={"X-Key": "one\ntwo"}).sample(blue)
    assert "two" not in str(caught.value)


def test_the_certificate_is_verified(source, asking, blue, tls, certificate):
    url = source(say(document()), tls=tls).url
    assert isinstance(asking(url, values=STATS, ca=str(certificate / "cert")).sample(blue), Counters)
    with pytest.raises(UnoError) as caught:
        asking(url, values=STATS).sample(blue)
    assert "certificate verify failed" in caught.value.found
    with pytest.raises(ConfigError) as caught:
        asking(url, values=STATS, ca="/nowhere").sample(blue)
    assert caught.value.where == "/nowhere"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"url": "localhost/stats"}, "expected http://"),
        ({"url": "http://me:geheim@host/"}, "url holds a password"),
        ({"url": "http://me:ge/heim@host/"}, "url holds a password"),
        ({"url": "http://host/{slto}"}, "{slto} is no placeholder: expected {app}, {environment}, {slot}"),
        ({"url": "http://host/{slto}"}, "{{slto}} for the text itself; did you mean {slot}?"),
        ({"url": "http://host/{window}"}, "{window} is no placeholder"),
        ({"values": {}}, "nothing is asked"),
        ({"values": {"cpu": "load..cpu"}}, "values.cpu: 'load..cpu' is no JMESPath"),
        ({"requests": "a b"}, "requests: 'a b' is no JMESPath"),
        ({"errors": "e"}, "errors without requests"),
        ({"process": "p"}, "process without requests"),
        ({"requests": "r", "values": {"requests": "x"}}, "that name belongs to what is counted"),
        ({"body": "{}"}, "expected method: POST"),
        ({"method": "PUT"}, "one of GET, POST"),
        ({"timeout": 0}, "greater than 0"),
    ],
)  # fmt: skip
def test_options_that_cannot_be_are_refused(options, said):
    with pytest.raises(ValueError) as caught:
        WebOptions(**{"url": "http://host/", "values": {"cpu": "cpu"}, **options})
    assert said in str(caught.value)
    assert "heim" not in str(caught.value)


def test_it_says_what_it_reads():
    reads = WebOptions(url="http://host/", values=STATS, **COUNTS).reads()
    assert (reads.names, reads.counts, reads.latency) == (
        {"cpu", "memory", "requests", "error_rate"},
        True,
        False,
    )
    assert not WebOptions(url="http://host/", values=STATS).reads().counts
    assert not reads.knows("latency_p95")
