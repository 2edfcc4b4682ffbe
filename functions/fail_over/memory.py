"""The state that all controllers share: one object in Cloud Storage, written with a generation precondition."""

import logging

import msgspec

from functions.bundle.storage import Location
from functions.fail_over.decision import State

logger = logging.getLogger(__name__)


class Memory:
    """The object at gs://BUCKET/PATH that holds the state."""

    def __init__(self, uri: str) -> None:
        """Open it; the network is not touched yet.

        Raises:
            StorageError: there are no credentials.
        """
        folder, _, self._name = uri.rpartition("/")
        self._folder = Location(folder)

    def read(self) -> tuple[State | None, int]:
        """The state and its generation; None where there is none, or none that can be used.

        Raises:
            StorageError: the bucket refuses or is out of reach.
        """
        found = self._folder.read(self._name)
        if found is None:
            return None, 0
        content, generation = found
        try:
            return msgspec.json.decode(content, type=State), generation
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            logger.warning("the state can't be used", extra={"reason": str(error), "remedy": "it is written anew"})
            return None, generation

    def write(self, state: State, generation: int) -> int:
        """Replace the state of that generation (0: there is none), and give the new generation.

        Raises:
            Conflict: another controller wrote meanwhile.
            StorageError: the bucket refuses or is out of reach.
        """
        return self._folder.write(self._name, msgspec.json.encode(state), generation)
