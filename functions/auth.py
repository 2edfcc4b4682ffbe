"""Who has a key: the keys that are accepted, read again while the service runs."""

import hashlib
import hmac
import logging
import time
from collections.abc import Iterable, Sequence

from functions.background import NEVER, RETRY_SECONDS, BackgroundTask
from functions.keys import KeySource, KeysUnavailable, acceptable, key_faults

REREAD_SECONDS = 300
"""Age at which keys are read again, by the next request."""

REFUSED_SECONDS = 60
"""Least time between two readings because a key was refused."""

WAIT_SECONDS = 3.0
"""Longest that a request waits for a reading."""

logger = logging.getLogger(__name__)


class ApiKeys:
    """The keys that are accepted, kept as digests: some for good, some from sources that may change them.

    A source that can't be read keeps the keys that it had. What it holds then is all that counts: a key that
    it has no more is accepted no more.
    """

    def __init__(
        self, keys: Iterable[str] = (), sources: Sequence[KeySource] = (), *, production: bool = False
    ) -> None:
        """Accept each of `keys` for good, and what `sources` hold, once they are read."""
        self._fixed = _digests(keys)
        self._production = production
        self._sources = {source.name: source for source in sources}
        self._held: dict[str, list[bytes]] = {}
        self._said: dict[str, str] = {}
        self._digests = self._fixed
        self._reading = BackgroundTask("reading of keys", self._read, due=0.0 if sources else NEVER)
        # nothing was read yet that could be out of date
        self._trusted_until = NEVER
        self._next_for_refused = 0.0 if sources else NEVER

    def __bool__(self) -> bool:
        """Whether there is any key at all."""
        return bool(self._digests)

    def start(self) -> None:
        """Start reading the sources, without waiting for them."""
        if self._sources:
            self._reading.start()

    def wait(self, seconds: float) -> None:
        """Wait for the reading that runs, at most so long."""
        self._reading.wait(seconds)

    def refresh(self) -> None:
        """Start reading the sources if that is due; wait for it where nobody asked for so long that it is overdue."""
        self._reading.start_if_due()
        if time.monotonic() >= self._trusted_until:
            self._reading.wait(WAIT_SECONDS)

    def identify(self, given: str) -> str | None:
        """A name of the key that is safe to store and log, or None when the key is not accepted.

        A key that is not known may just have been made: the sources are read again before it is refused,
        at most once in REFUSED_SECONDS, whoever sends it.
        """
        name = self._find(given)
        if name is None and self._sources:
            self._read_for_refused()
            name = self._find(given)
        return name

    def _find(self, given: str) -> str | None:
        """The name of a known key.

        Takes the same time whichever key matches, and whether one does: digests have one length,
        and all of them are compared.
        """
        digest = hashlib.sha256(given.encode("latin-1", "replace")).digest()
        accepted = False
        for known in self._digests:
            accepted |= hmac.compare_digest(digest, known)
        return digest[:8].hex() if accepted else None

    def _read_for_refused(self) -> None:
        now = time.monotonic()
        if now >= self._next_for_refused:
            self._next_for_refused = now + REFUSED_SECONDS
            self._reading.start()
        self._reading.wait(WAIT_SECONDS)

    def _read(self) -> float:
        """Read all sources; gives the seconds until the next time."""
        complete = True
        for name, source in self._sources.items():
            try:
                self._take(name, source.read())
            except KeysUnavailable as error:
                complete = False
                self._say(name, str(error))
        self._trusted_until = time.monotonic() + 2 * REREAD_SECONDS
        if not self:
            return RETRY_SECONDS
        return REREAD_SECONDS if complete else REFUSED_SECONDS

    def _take(self, name: str, keys: Sequence[str]) -> None:
        """Accept from now on what the source holds.

        Raises:
            KeysUnavailable: it holds keys, and none that can be accepted.
        """
        accepted = acceptable(keys, production=self._production)
        faults = "; ".join(key_faults(keys, production=self._production)) if keys else "is disabled, or not there"
        if keys and not accepted:
            raise KeysUnavailable(faults)
        if faults:
            self._say(name, faults)
        else:
            self._said.pop(name, None)
        digests = _digests(accepted)
        if self._held.get(name) != digests:
            self._held[name] = digests
            self._digests = self._fixed + [digest for held in self._held.values() for digest in held]
            logger.info("keys read", extra={"source": name, "keys": len(digests)})

    def _say(self, name: str, reason: str) -> None:
        if self._said.get(name) != reason:
            self._said[name] = reason
            logger.error("keys can't be used", extra={"source": name, "reason": reason})


def _digests(keys: Iterable[str]) -> list[bytes]:
    return [hashlib.sha256(key.encode()).digest() for key in keys]
