"""The options of the check `tcp`."""

from __future__ import annotations

from attrs import frozen

from uno_core import Target, option


@frozen(kw_only=True)
class TcpOptions:
    """Where to connect, what to say, and what must come back."""

    host: str = option(
        default="{host}",
        help="The host to connect to; {host} is the instance's, {env} and {slot} blue or green",
    )
    port: str = option(default="{port}", help="The port to connect to; {port} is the instance's")
    url: str = option(default="", help="Host and port as tcp://host:port, instead of the two")
    send: str = option(default="", help="A text to send once the connection is open")
    expect: str = option(
        default="",
        help="A text that must come back, or a regular expression that what comes back must match",
    )

    def __attrs_post_init__(self) -> None:
        for name, text in (("host", self.host), ("port", self.port), ("url", self.url)):
            if unknown := Target.unknown(text):
                raise ValueError(
                    f"{name} = {text}: {', '.join(unknown)} is no placeholder;"
                    " expected {host}, {port}, {env}, {slot}, {version} or {app}"
                )
