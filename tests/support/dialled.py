"""Clients that ask a name server where to go, and keep what it said as long as it said: each for itself."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections import Counter
from typing import Self

import dns.exception
import dns.message
import dns.query
from attrs import define, field
from steady import Answer


@define
class Dialled:
    """So many clients, each with a cache of its own that follows the TTL, ask so often in all.

    first: the first address of each answer of the name server.
    """

    server: tuple[str, int]
    name: str
    port: int
    rate: float = 50.0
    clients: int = 20
    answers: list[Answer] = field(factory=list)
    first: list[tuple[float, str]] = field(factory=list)
    _leave: threading.Event = field(init=False, factory=threading.Event)
    _workers: list[threading.Thread] = field(init=False, factory=list)

    def __enter__(self) -> Self:
        self._workers = [threading.Thread(target=self._work, args=(n,)) for n in range(self.clients)]
        for worker in self._workers:
            worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leave.set()
        for worker in self._workers:
            worker.join()

    def of(self, version: str) -> list[Answer]:
        """The answers of one version, in order."""
        return sorted((a for a in self.answers if a.version == version), key=lambda a: a.at)

    def lost(self) -> Counter[int]:
        """How many requests were answered otherwise than they should have been, by what came instead."""
        return Counter(answer.status for answer in self.answers if answer.bad)

    def _work(self, number: int) -> None:
        chance = random.Random(number)
        address, until = "", 0.0
        while not self._leave.wait(chance.expovariate(self.rate / self.clients)):
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
