"""API keys."""

import hashlib
import hmac
from collections.abc import Iterable


class ApiKeys:
    """The keys that are accepted, kept as digests."""

    def __init__(self, keys: Iterable[str]) -> None:
        """Accept each of `keys`."""
        self._digests = [hashlib.sha256(key.encode()).digest() for key in keys]

    def __bool__(self) -> bool:
        """Whether there is any key at all."""
        return bool(self._digests)

    def identify(self, given: str) -> str | None:
        """A name of the key that is safe to store and log, or None when the key is not accepted.

        Takes the same time whichever key matches, and whether one does: digests have one length,
        and all of them are compared.
        """
        digest = hashlib.sha256(given.encode("latin-1", "replace")).digest()
        accepted = False
        for known in self._digests:
            accepted |= hmac.compare_digest(digest, known)
        return digest[:8].hex() if accepted else None
