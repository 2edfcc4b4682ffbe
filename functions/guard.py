"""Who may call: the key first, then the limit."""

from functions.auth import ApiKeys
from functions.errors import MissingKey, NoKeys, WrongKey
from functions.limits import Limits, Rule
from functions.request import ServingRequest

KEY_HEADER = "X-API-Key"
_KEY_VARIABLE = "HTTP_X_API_KEY"


class Guard:
    """Admits a request or refuses it.

    A client whose keys are refused too often is refused before its next key is looked at, so that
    keys can't be guessed at speed; those tries never count against the limit of a valid key.
    """

    def __init__(self, keys: ApiKeys, limits: Limits, *, authenticated: bool, per_client: bool) -> None:
        """Check `keys` if `authenticated`, and limits of callers without a key if `per_client`."""
        self._keys = keys
        self._limits = limits
        self._authenticated = authenticated
        self._per_client = per_client

    @property
    def ready(self) -> bool:
        """Whether callers can be told apart: always, unless they need a key and none is known yet."""
        if not self._authenticated:
            return True
        self._keys.refresh()
        return bool(self._keys)

    def admit(self, request: ServingRequest, rule: Rule) -> None:
        """Let a request for a protected route pass.

        Raises:
            NoKeys: the service needs a key, and knows none.
            MissingKey, WrongKey: the service needs a key that the request has not.
            TooManyRequests: the key's or the client's limit is reached.
        """
        if not self._authenticated:
            self.limit_client(request, rule)
            return
        client = request.client
        self._limits.refuse_blocked(client)
        if not self.ready:
            raise NoKeys("no API key could be read yet; the service's log says why")
        given = request.environ.get(_KEY_VARIABLE)
        if not given:
            raise MissingKey(
                f"send your key as {KEY_HEADER}", headers={"WWW-Authenticate": f'ApiKey header="{KEY_HEADER}"'}
            )
        name = self._keys.identify(given)
        if name is None:
            self._limits.count_auth_failure(client)
            raise WrongKey(f"the key in {KEY_HEADER} is not accepted")
        request.standing = self._limits.hit(rule, name)

    def limit_client(self, request: ServingRequest, rule: Rule) -> None:
        """Count a request that needs no key against its client.

        Raises:
            TooManyRequests: the client's limit is reached.
        """
        if self._per_client:
            request.standing = self._limits.hit(rule, request.client)
