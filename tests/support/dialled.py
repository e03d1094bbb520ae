"""Clients that ask a name server where to go, and keep what it said as long as it said: each for itself."""

from __future__ import annotations

import http.client
import random
import time
from collections import Counter

import dns.exception
import dns.message
import dns.query
from attrs import define, field
from steady import Answer, Steady


@define
class Dialled(Steady):
    """Each thread is a client with a cache of its own that follows the TTL; it asks whom it was told of.

    server: the name server. first: the first address of each of its answers.
    """

    threads: int = 20
    server: tuple[str, int] = field(kw_only=True)
    name: str = field(kw_only=True)
    first: list[tuple[float, str]] = field(init=False, factory=list)

    def lost(self) -> Counter[int]:
        """How many requests were answered otherwise than they should have been, by what came instead."""
        return Counter(answer.status for answer in self.answers if answer.bad)

    def _work(self, number: int) -> None:
        chance = random.Random(number)
        address, until = "", 0.0
        while not self._leave.wait(chance.expovariate(self.rate / self.threads)):
            if time.monotonic() >= until:
                address, until = self._resolved(address)
            if address:
                self.answers.append(self._asked(address))

    def _resolved(self, before: str) -> tuple[str, float]:
        """The first address and when it is to be asked for again; the old one where nobody answers."""
        question = dns.message.make_query(self.name, "A")
        try:
            found = dns.query.udp(question, self.server[0], port=self.server[1], timeout=2).answer
        except (dns.exception.DNSException, OSError):
            return before, time.monotonic() + 1
        if not found:
            return before, time.monotonic() + 1
        address = str(found[0][0].address)
        self.first.append((time.monotonic(), address))
        return address, time.monotonic() + found[0].ttl

    def _asked(self, address: str) -> Answer:
        at = time.monotonic()
        connection = http.client.HTTPConnection(address, self.port, timeout=10)
        try:
            connection.request("GET", "/")
            answer = connection.getresponse()
            said = answer.read().decode().split()
            return Answer(at, answer.status, said[0] if said else "")
        except (OSError, http.client.HTTPException):
            return Answer(at, 0, "")
        finally:
            connection.close()


def asked(server: tuple[str, int], name: str) -> list[str]:
    """The addresses of one answer, in its order."""
    question = dns.message.make_query(name, "A")
    answer = dns.query.udp(question, server[0], port=server[1], timeout=5)
    return [one.to_text() for found in answer.answer for one in found]
