"""Rate limits, on flask-limiter's storage.

flask-limiter configures and holds the storage; a limit is counted here with one call of it, where
the caller is known, instead of in flask-limiter's own pass over the hooks of a request
(docs/adr/0004-request-path.md has the measurement).
"""

import ipaddress
import time
from dataclasses import dataclass
from typing import Any, NamedTuple

from flask import Flask
from flask_limiter import Limiter
from limits import RateLimitItemPerMinute

from functions.counting import Counter, CountingMetrics, LocalCounter, SharedCounter
from functions.errors import TooManyRequests
from functions.settings import IN_MEMORY, THREADS, Settings
from functions.window_storage import WindowStorage

MAX_BLOCKED = 10_000
REDIS_TIMEOUT_SECONDS = 1.0
IPV6_NETWORK_BITS = 64


class Standing(NamedTuple):
    """Where a caller stands with a limit after this request."""

    limit: int
    remaining: int


@dataclass(frozen=True)
class Rule:
    """A named limit: so many requests a minute for each caller."""

    name: str
    item: RateLimitItemPerMinute


class Limits:
    """The service's limits. Each counts per caller, in fixed windows of a minute."""

    def __init__(self, app: Flask, settings: Settings, metrics: CountingMetrics) -> None:
        """Bind the storage that the settings name to `app`; `metrics` learn when a shared one fails."""
        uri = settings.ratelimit_storage_uri
        in_memory = uri.startswith(IN_MEMORY)
        if in_memory:
            uri = f"{WindowStorage.STORAGE_SCHEME[0]}://"
        limiter = Limiter(
            client_of_nobody,
            storage_uri=uri,
            storage_options={} if in_memory else redis_options(),
            strategy="fixed-window",
        )
        # An extension that is registered already gets its storage from init_app, but no hooks.
        app.extensions["limiter"] = {limiter}
        limiter.init_app(app)
        storage = limiter.storage
        self._counter: Counter = LocalCounter(storage) if in_memory else SharedCounter(storage, metrics, THREADS)
        self._blocked: dict[str, float] = {}
        self.predict = _rule("predict", settings.rate_limit_predict)
        self.health = _rule("health", settings.rate_limit_health)
        self.model_info = _rule("model_info", settings.rate_limit_model_info)
        self.auth_failures = _rule("auth_failures", settings.rate_limit_auth_failures)

    def hit(self, rule: Rule, caller: str) -> Standing:
        """Count one request of `caller`.

        Raises:
            TooManyRequests: the limit is reached; says when to come back.
        """
        amount = rule.item.amount
        key = rule.item.key_for(rule.name, caller)
        requests, resets_at = self._counter.hit(key, rule.item)
        if requests > amount:
            raise _exceeded(rule, resets_at)
        return Standing(amount, amount - requests)

    def refuse_blocked(self, client: str) -> None:
        """Refuse a client that has sent too many refused keys, whatever it sends now.

        Raises:
            TooManyRequests: until the client's minute is over.
        """
        until = self._blocked.get(client)
        if until is None:
            return
        if until > time.time():
            raise _exceeded(self.auth_failures, until)
        self._blocked.pop(client, None)

    def count_auth_failure(self, client: str) -> None:
        """Count a refused key against the client that sent it."""
        item = self.auth_failures.item
        failures, resets_at = self._counter.hit(item.key_for(self.auth_failures.name, client), item)
        if failures >= item.amount:
            if len(self._blocked) >= MAX_BLOCKED:
                self._forget_expired()
            self._blocked[client] = resets_at

    def _forget_expired(self) -> None:
        now = time.time()
        for client, until in list(self._blocked.items()):
            if until <= now or len(self._blocked) >= MAX_BLOCKED:
                self._blocked.pop(client, None)


def client_of(address: str | None) -> str:
    """The client that an address counts as: itself, or its /64 network, which one IPv6 host owns whole."""
    if address is None or ":" not in address:
        return address or "unknown"
    try:
        parsed = ipaddress.IPv6Address(address)
        # what a socket for both families calls an IPv4 peer; all of them share one /64
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((address, IPV6_NETWORK_BITS), strict=False))
    except ValueError:
        return address


def client_of_nobody() -> str:
    """Key function that flask-limiter asks for; its own pass, which would call it, is not used."""
    raise NotImplementedError


def redis_options() -> dict[str, Any]:
    """One try, and an end to it: a thread that hangs on a dead Redis is free again in time for the next try."""
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return {
        "socket_connect_timeout": REDIS_TIMEOUT_SECONDS,
        "socket_timeout": REDIS_TIMEOUT_SECONDS,
        "retry": Retry(NoBackoff(), 0),
    }


def _rule(name: str, amount: int) -> Rule:
    return Rule(name, RateLimitItemPerMinute(amount))


def _exceeded(rule: Rule, resets_at: float) -> TooManyRequests:
    wait = max(1, round(resets_at - time.time()))
    return TooManyRequests(
        f"the limit of {rule.item.amount} a minute is reached; try again in {wait} s",
        headers={
            "Retry-After": str(wait),
            "X-RateLimit-Limit": str(rule.item.amount),
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": str(round(resets_at)),
        },
    )
