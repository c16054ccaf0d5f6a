"""Pseudonyms of people: a backer, a sharer or an owner is known inside only by a keyed hash of the id sent to us.

One key for all, so that the backer of a pledge and the sharer of a link can be seen to be the same person.
"""

import hmac
from typing import Final

from pydantic import SecretStr

PREFIX: Final = "p_"
HEX_DIGITS: Final = 32


class Pseudonyms:
    """Makes pseudonyms with one key."""

    def __init__(self, key: SecretStr) -> None:
        # Begun once with the key and copied for each id. The one-shot hmac.digest lets go of the interpreter's lock,
        # which in the gateway costs fifty times the hash.
        self._begun = hmac.new(key.get_secret_value().encode(), digestmod="sha256")

    def of(self, person_id: str) -> str:
        """Return the pseudonym of a person's id: always the same, not to be undone without the key."""
        digest = self._begun.copy()
        digest.update(person_id.encode())
        return PREFIX + digest.hexdigest()[:HEX_DIGITS]
