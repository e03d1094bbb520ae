"""The options of the check `http`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

from uno_core import Secret, Target, option


@frozen(kw_only=True)
class HttpOptions:
    """What is asked, and what the answer must be."""

    url: str = option(
        default="http://{host}:{port}/health",
        help="The URL to ask. With {host} or {port} every instance is asked, otherwise the slot as a whole; "
        "{env} and {slot} are blue or green, {version} and {app} the release and the application",
    )
    method: str = option(
        default="GET", choices=("GET", "HEAD", "POST", "PUT", "OPTIONS"), help="The method of the request"
    )
    status: int | Sequence[int] = option(
        default=(), ge=100, le=599, help="The status, or a list of them, that is healthy; any 2xx by default"
    )
    body: str = option(
        default="",
        help="A text that the body must hold, or a regular expression that must match in it; "
        "placeholders as in the URL",
    )
    headers: Mapping[str, str | Secret] = option(
        factory=dict, help="Headers of the request; a value may be a secret, or hold placeholders"
    )
    verify: bool = option(default=True, help="Whether the certificate of an https URL is verified")
    ca: str = option(
        default="", help="A file or folder of certificates to verify by, instead of the usual ones"
    )
    redirects: bool = option(
        default=False, help="Whether redirects are followed; otherwise a 3xx is itself the answer"
    )

    def __attrs_post_init__(self) -> None:
        if unknown := Target.unknown(self.url):
            raise ValueError(
                f"url = {self.url}: {', '.join(unknown)} is no placeholder;"
                " expected {host}, {port}, {env}, {slot}, {version} or {app}"
            )
