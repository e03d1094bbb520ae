"""Answers of a Prometheus that is not there, and what a provider makes of them."""

import re
from datetime import UTC, datetime, timedelta

END = datetime(2026, 3, 1, 12, tzinfo=UTC)
SPAN = (END - timedelta(seconds=60), END)
RATES = {"200": 9, "500": 1}
BUCKETS = {"0.1": 5, "0.5": 9, "+Inf": 10}


def well(request, spoil=lambda value: value):
    """Answers for the shop's blue slot: ten requests a second, one of them bad, scraped every 5 s."""
    query, end = request.asked["query"], int(float(request.asked["time"]))
    if 'app="shop"' not in query:
        return request.result("matrix", [])
    labels = {"app": "shop", "slot": "blue", "job": "shop", "instance": "a:1"}
    rows = {"code": RATES} if query.startswith("http_requests_total") else {"le": BUCKETS}
    if "5.." in query:
        rows = {"code": {"500": 1}}
    ((label, rates),) = rows.items()
    times = range(end - 200 - end % 5, end + 1, 5)
    return request.result(
        "matrix",
        [
            {
                "metric": {**labels, "__name__": re.match(r"\w+", query)[0], label: value},
                "values": [[at, spoil(str(at * rate))] for at in times],
            }
            for value, rate in rates.items()
        ],
    )


def hang(request):
    request.server.over.wait(60)


def drip(request):
    """Never later than a moment, and never done."""
    request.send_response(200)
    request.send_header("Content-Length", "100000")
    request.end_headers()
    while not request.server.over.wait(0.05):
        request.wfile.write(b" ")


AT = END.timestamp()
TARGET = {"job": "shop", "instance": "a:1", "__name__": "x"}


def matrix(*series):
    """Answers each query with series whose labels and samples are these."""

    def how(request):
        request.result(
            "matrix",
            [{"metric": labels, "values": [[at, str(v)] for at, v in samples]} for labels, samples in series],
        )

    return how


def told(source, asking, blue, how, **options):
    return asking(source(how).url, **(options or {"requests": "x", "errors": 'x{code="500"}'})).window(
        blue, *SPAN
    )


def by_query(**answers):
    """Answers by what stands in the query; the first that fits."""

    def how(request):
        for part, series in answers.items():
            if part.replace("_S", "{") in request.asked["query"]:
                return matrix(*series)(request)
        return request.result("matrix", [])

    return how


def of(instance, *samples, job="shop", **labels):
    """A series whose samples stand so many seconds before the end of the window."""
    return {"__name__": "x", "job": job, "instance": instance, **labels}, [
        (AT - ago, value) for ago, value in samples
    ]


def vector(*values):
    return lambda request: request.result(
        "vector", [{"metric": {"n": str(i)}, "value": [1, v]} for i, v in enumerate(values)]
    )


def say(status, body):
    return lambda request: request.say(status, body)
