"""Asking resolvers, as clients do."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import dns.exception
import dns.nameserver
import dns.resolver
from attrs import frozen

from uno_platform_dns.options import host_and_port
from uno_platform_dns.zone import absolute


@frozen(kw_only=True)
class Answer:
    """What one resolver said. ttl: seconds for which it will say so still. problem: why it said nothing."""

    values: Sequence[str] = ()
    ttl: float = 0.0
    problem: str = ""


def ask(resolver: str, name: str, kind: str, timeout: float) -> Answer:
    """Ask once, for `timeout` seconds at most. Raises nothing: no answer is an answer."""
    host, port = host_and_port(resolver)
    asking = dns.resolver.Resolver(configure=False)
    asking.lifetime = max(0.1, timeout)
    try:
        address = str(socket.getaddrinfo(host, None, proto=socket.IPPROTO_UDP)[0][4][0])
        asking.nameservers = [dns.nameserver.Do53Nameserver(address, port)]
        answer = asking.resolve(absolute(name), kind, search=False)
    except (dns.exception.DNSException, OSError) as problem:
        return Answer(problem=type(problem).__name__)
    return Answer(values=[one.to_text() for one in answer], ttl=answer.rrset.ttl if answer.rrset else 0.0)
