"""The document that an application tells of itself, and how it is answered."""

STATS = {"cpu": "load.cpu", "memory": "sum(processes[].rss)"}
COUNTS = {"requests": "http.all", "errors": "http.bad", "process": "pid"}


def document(**changes):
    whole = {
        "load": {"cpu": 0.5},
        "processes": [{"rss": 10}, {"rss": 20}],
        "http": {"all": 100, "bad": 1},
        "pid": 7,
    }
    return {**whole, **changes}


def say(body, status=200):
    return lambda request: request.say(status, body)
