"""What is said of a Prometheus that fails, and never of the secrets that it is asked with."""

import base64
import html
import json
import re
from urllib.parse import quote

import pytest
from answers import (
    AT,
    SPAN,
    drip,
    hang,
    say,
    vector,
    well,
)
from attrs import evolve
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from uno_core import ConfigError, Secret, UnoError
from uno_core.testing.fixtures import TableOfSecrets
from uno_metrics_prometheus.options import PrometheusOptions
from uno_metrics_prometheus.provider import PrometheusMetrics

pytest_plugins = ["uno_core.testing.fixtures"]

ERROR = {"status": "error", "errorType": "bad_data", "error": "1:3: parse error: unexpected <eof>"}


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (say(400, ERROR), "400 Bad Request: bad_data: 1:3: parse error: unexpected <eof>"),
        (say(503, {**ERROR, "errorType": "timeout"}), "503 Service Unavailable: timeout: 1:3"),
        (say(200, ERROR), "200 OK: bad_data"),
        (say(500, b"<html>oops</html>"), "500 Internal Server Error: '<html>oops</html>'"),
        (say(401, b"Unauthorized\n"), "401 Unauthorized: 'Unauthorized'"),
        (say(200, b"<html>Sign in</html>"), "200 OK: '<html>Sign in</html>'"),
        (say(200, b""), "200 OK: (empty)"),
        (say(200, {"status": "success"}), '200 OK: \'{"status": "success"}\''),
        (say(500, {"status": "success", "data": {"resultType": "vector", "result": []}}), "500 Internal"),
        (lambda r: r.result("matrix", [], warnings=["read failed"]), "with the warning: read failed"),
        (lambda r: r.result("matrix", [{"metric": {}, "histograms": []}]), "series that cannot be read"),
        (lambda r: r.result("matrix", [{"metric": {}, "values": [[1, True]]}]), "series that cannot be read"),
        (lambda r: r.result("vector", []), "a vector instead of the samples of series"),
        (hang, "no answer within 0.5 s"),
        (drip, "no answer within 0.5 s"),
    ],
)  # fmt: skip
def test_a_failure_says_what_was_found_and_where(source, asking, blue, how, said):
    server = source(how)
    with pytest.raises(UnoError) as caught:
        asking(server.url, requests="x", timeout=0.5).window(blue, *SPAN)
    assert said in caught.value.found
    assert caught.value.where == f"{server.url}, x[360s]"
    assert caught.value.remedy


def test_who_is_not_there_is_a_failure(closed, asking, blue):
    with pytest.raises(UnoError) as caught:
        asking(closed).window(blue, *SPAN)
    assert caught.value.found == "connection refused"


def test_the_timeout_is_for_all_queries_of_a_look(source, asking, blue):
    """A source that is late by itself with each, and in time by the clock of none."""
    server = source(lambda request: (request.server.over.wait(0.3), vector("1")(request)))
    queries = {name: name for name in "abcdefgh"}
    with pytest.raises(UnoError, match="did not answer"):
        asking(server.url, queries=queries, timeout=1.0).window(blue, *SPAN)
    assert len(server.seen) < len(queries)


def test_credentials_are_sent_and_a_redirect_is_not_followed(source, asking, blue):
    other = source(vector("1"))
    server = source(lambda request: request.say(302, Location=f"{other.url}/api/v1/query"))
    provider = asking(
        server.url, queries={"m": "m"}, token=Secret("TOKEN"), headers={"X-Scope-OrgID": Secret("TOKEN")}
    )
    with pytest.raises(UnoError) as caught:
        provider.window(blue, *SPAN)
    assert "302 Found" in caught.value.found
    assert "redirects are not followed" in caught.value.found
    assert not other.seen
    ((_, headers, _),) = server.seen
    assert headers["Authorization"] == "Bearer open-sesame"
    assert headers["X-Scope-OrgID"] == "open-sesame"


def test_user_and_password_are_sent(source, asking, blue):
    server = source(vector("1"))
    provider = asking(server.url, queries={"m": "m"}, user="me", password=Secret("TOKEN"))
    assert provider.window(blue, *SPAN).values == {"m": 1}
    assert server.seen[0][1]["Authorization"] == "Basic bWU6b3Blbi1zZXNhbWU="


def echoes(sent, cut):
    """Ways in which a server may send back what it was sent."""
    begin = "x" * cut
    yield f"no such token: {sent}".encode()
    yield f"{begin} {sent}".encode()
    yield sent[cut:].encode()
    yield sent.encode("latin-1")
    yield f"{begin}<p>{html.escape(sent)}</p>".encode()
    yield f"/login?then={quote(sent, safe='')}".encode()
    yield json.dumps({"you": sent}).encode()
    yield {"status": "success", "you": sent}
    yield {"status": "error", "error": f"{begin}: {sent}"}
    yield {"status": "success", "warnings": [sent]}
    for row in ({"metric": {"you": sent}, "values": [[AT - 5, "NaN"]]}, {"metric": {"you": sent}}):
        yield {"status": "success", "data": {"resultType": "matrix", "result": [row]}}


LATIN = st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_categories=["Cc"])
SECRETS = st.text(LATIN, min_size=8)


@pytest.fixture
def echoed(source, services, blue):
    """`echoed(secret, cut, **options)`: all that is shown of what a server sends back."""
    server = source(None)

    def shown(secret, cut, **options):
        known = evolve(services, secrets=TableOfSecrets({"MINE": secret}))
        provider = PrometheusMetrics(PrometheusOptions(url=server.url, requests="x", **options), known)
        for number, _ in enumerate(echoes("", cut)):

            def how(request, number=number):
                scheme, _, sent = request.headers["Authorization"].partition(" ")
                meant = f" {base64.b64decode(sent).decode()}" if scheme == "Basic" else ""
                said = list(echoes(f"{scheme} {sent}{meant}", cut))[number]
                request.say(200 if isinstance(said, dict) else 401, said)

            server.how = how
            try:
                yield provider.window(blue, *SPAN).reason
            except UnoError as error:
                yield str(error)

    return shown


@given(secret=SECRETS | SECRETS.map(lambda text: text * 20), cut=st.integers(0, 160), basic=st.booleans())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(secret="ab\"cdefghij'klm\\nopq<rst&" * 5, cut=150, basic=False)
@example(secret="eyJhbGciOiJIUzI1NiJ9." + "A1b2" * 40 + ".SIGNATURE0123456789", cut=0, basic=True)
def test_no_part_of_a_secret_is_shown_however_it_comes_back(echoed, secret, cut, basic):
    given = {"user": "me", "password": Secret("MINE")} if basic else {"token": Secret("MINE")}
    sent = base64.b64encode(f"me:{secret}".encode()).decode() if basic else secret
    runs = {text[at : at + 8] for text in (secret, sent) for at in range(len(text) - 7)}
    for shown in echoed(secret, cut, **given):
        assert not [run for run in runs if run in shown], shown


def test_a_secret_is_never_shown(source, asking, blue):
    def echo(request):
        request.say(403, {**ERROR, "error": f"no such token: {request.headers['Authorization']}"})

    with pytest.raises(UnoError) as caught:
        asking(source(echo).url, token=Secret("TOKEN")).window(blue, *SPAN)
    assert "no such token: Bearer ***" in str(caught.value)
    assert "open-sesame" not in str(caught.value)


@pytest.mark.parametrize("secret", ["NOBODY"])
def test_a_secret_that_is_not_there_is_an_error(source, asking, blue, secret):
    with pytest.raises(ConfigError):
        asking(source(well).url, token=Secret(secret)).window(blue, *SPAN)


def test_the_path_of_a_proxy_stays(source, asking, blue):
    server = source(vector("1"))
    asking(server.url + "/prometheus/", queries={"m": "m"}).window(blue, *SPAN)
    assert server.seen[0][0].startswith("/prometheus/api/v1/query?")


def test_a_client_certificate_is_shown_and_the_servers_is_verified(source, asking, blue, tls, certificates):
    url = source(vector("1"), tls=tls).url
    files = {
        name: str(certificates / f"{file}.pem") for name, file in (("ca", "ca"), ("certificate", "client"))
    }
    shown = {**files, "key": str(certificates / "client.key"), "queries": {"m": "m"}}
    assert asking(url, **shown).window(blue, *SPAN).values == {"m": 1}
    with pytest.raises(UnoError) as caught:
        asking(url, **{**shown, "ca": ""}).window(blue, *SPAN)
    assert "certificate verify failed" in caught.value.found
    with pytest.raises(UnoError) as caught:
        asking(url, **{**shown, "certificate": "", "key": ""}).window(blue, *SPAN)
    # The server says so, but closes at once, so that its word may be lost.
    assert re.search("certificate required|certificate of the client's", caught.value.found)


def test_a_file_that_is_not_there_is_named(source, asking, blue):
    with pytest.raises(ConfigError) as caught:
        asking(source(well).url, ca="/nowhere/ca.pem").window(blue, *SPAN)
    assert caught.value.where == "/nowhere/ca.pem"
