"""Links for people: `/s/{ticket}`. A ticket says of itself which share it is, and that this gateway made it.

It is the campaign's id, the share token, and a code over both (HMAC, RFC 2104) that nobody makes without our key: so
the gateway needs to look nothing up, and leads nobody to what it has not made a link for.
"""

import base64
import hmac
from typing import Final, NamedTuple

from pydantic import SecretStr

PATH: Final = "/s/"
CODE_BYTES: Final = 9
"""72 bits: nobody meets a code by trying, and twelve characters are short enough for a link."""

_PURPOSE: Final = b"cercles share links"
"""Pseudonyms are made with the same key; no person's id has a space in it."""

_DOTS: Final = frozenset({".", ".."})
"""Ids that would lead somewhere else as a segment of a path (RFC 3986, section 5.2.4)."""


class ShareLink(NamedTuple):
    """The share that a ticket stands for."""

    campaign_id: str
    share_token: str


class ShareLinks:
    """Makes and reads tickets. The key must stay what it is for as long as links are out there."""

    def __init__(self, key: SecretStr) -> None:
        own = hmac.new(key.get_secret_value().encode(), _PURPOSE, "sha256").digest()
        # Copied for each ticket, as for each pseudonym: see `producers.pseudonyms`.
        self._begun = hmac.new(own, digestmod="sha256")

    def path(self, link: ShareLink) -> str:
        """Return the path of the link, from the root of the gateway."""
        return f"{PATH}{link.campaign_id}.{link.share_token}.{self._code(link)}"

    def read(self, ticket: str) -> ShareLink | None:
        """Return what the ticket stands for; None unless we have made it."""
        said, _, code = ticket.rpartition(".")
        campaign_id, _, share_token = said.rpartition(".")
        link = ShareLink(campaign_id, share_token)
        if campaign_id in _DOTS or not hmac.compare_digest(code.encode(), self._code(link).encode()):
            return None
        return link

    def _code(self, link: ShareLink) -> str:
        made = self._begun.copy()
        made.update(f"{link.campaign_id}.{link.share_token}".encode())
        return base64.urlsafe_b64encode(made.digest()[:CODE_BYTES]).decode()
