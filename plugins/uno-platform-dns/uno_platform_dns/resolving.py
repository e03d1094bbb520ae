"""The health check `dns`: asks resolvers what a name leads to, and says who still answers what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import dns.resolver

from uno_core import ConfigError, Probe, Services, Slot, Target
from uno_platform_dns.asking import Answer, ask
from uno_platform_dns.options import DnsOptions, ResolvingOptions, kind_of, value_of


class ResolvingCheck:
    """Healthy where every resolver answers, and with nothing that belongs to no slot.

    `only`: where each answers with the slot that is asked about, and with nothing else. Then a switch is
    confirmed from outside; before it, the slot is not healthy by that.
    """

    per_instance = False

    def __init__(self, options: ResolvingOptions, services: Services) -> None:
        self.options = options
        platform = services.platform_options
        traffic = platform.traffic if isinstance(platform, DnsOptions) else None
        self.name = options.url.removeprefix("dns://") or (traffic.record if traffic else "")
        named: Mapping[str, Sequence[str]] = options.expect or (traffic.addresses if traffic else {})
        if not self.name or sorted(named) != sorted(slot.value for slot in Slot):
            raise ConfigError(
                "the health check dns does not know what to ask for", where="health",
                expected="url: dns://NAME, and expect: {blue: […], green: […]}",
                remedy="write both, or use the platform dns, which has them",
            )  # fmt: skip
        self.expected = {Slot(slot): [value_of(one) for one in found] for slot, found in named.items()}
        self.type = kind_of(named[Slot.BLUE.value][0])

    def check(self, target: Target, timeout: float) -> Probe:
        """One attempt: every resolver once."""
        try:
            whose = [str(one) for one in self.options.resolvers or dns.resolver.Resolver().nameservers]
        except dns.resolver.NoResolverConfiguration:
            whose = []
        told, healthy = [] if whose else ["this machine has no resolvers"], bool(whose)
        for resolver in whose:
            answer = ask(resolver, self.name, self.type, timeout / len(whose))
            slots = self._slots(answer)
            told.append(f"{resolver} answers {_words(slots, answer)}")
            right = set(slots) == {target.slot} if self.options.only else bool(slots) and None not in slots
            healthy = healthy and right
        return Probe(target=str(target), healthy=healthy, answer="; ".join(told)[:400])

    def _slots(self, answer: Answer) -> Counter[Slot | None]:
        """How many of the answers are whose; None for somebody else."""
        return Counter(
            next((slot for slot, mine in self.expected.items() if value_of(value) in mine), None)
            for value in answer.values
        )


def _words(slots: Counter[Slot | None], answer: Answer) -> str:
    if answer.problem:
        return f"nothing ({answer.problem})"
    parts = [
        f"{slot} ({count} of {slots.total()})" if slot else f"{count} of no slot ({', '.join(answer.values)})"
        for slot, count in slots.items()
    ]
    return f"{' and '.join(parts)}, for {answer.ttl:g} s more"
