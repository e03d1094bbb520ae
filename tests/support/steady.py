"""A load of so many requests a second, each answer with its time: what the users of an application see."""

from __future__ import annotations

import http.client
import random
import threading
import time
from typing import Self

from attrs import define, field, frozen


@frozen
class Answer:
    """When it was asked, by the monotonic clock, what was answered, and by which version."""

    at: float
    status: int
    version: str

    @property
    def bad(self) -> bool:
        return self.status != 200


@define
class Steady:
    """Asks from several threads, each at its own times, so that they arrive as strangers' requests do."""

    port: int
    rate: float
    threads: int = 8
    host: str = ""
    """The Host that is asked for, where it is not the address."""
    answers: list[Answer] = field(factory=list)
    _leave: threading.Event = field(init=False, factory=threading.Event)
    _workers: list[threading.Thread] = field(init=False, factory=list)

    def __enter__(self) -> Self:
        self._workers = [threading.Thread(target=self._work, args=(n,)) for n in range(self.threads)]
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

    def _work(self, number: int) -> None:
        chance = random.Random(number)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        while not self._leave.wait(chance.expovariate(self.rate / self.threads)):
            at = time.monotonic()
            try:
                connection.request("GET", "/", headers={"Host": self.host} if self.host else {})
                answer = connection.getresponse()
                said = answer.read().decode().split()
                self.answers.append(Answer(at, answer.status, said[0] if said else ""))
            except (OSError, http.client.HTTPException):
                self.answers.append(Answer(at, 0, ""))
                connection.close()
        connection.close()
