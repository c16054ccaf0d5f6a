"""Signatures of sources, by the Standard Webhooks scheme.

Source: the Standard Webhooks specification, section "Verifying webhook authenticity"; its own library does the work.
The library takes text, allows 300 s to both sides, and raises whatever garbled input leads it to; so what it is given
is looked at first.
"""

import re
import secrets
from collections.abc import Mapping
from typing import Final

from standardwebhooks import Webhook, WebhookVerificationError

from producers.settings import SourceSecrets

ID: Final = "webhook-id"
TIMESTAMP: Final = "webhook-timestamp"
SIGNATURE: Final = "webhook-signature"

_SECONDS: Final = re.compile(r"[0-9]{1,12}")
_SIGNATURE: Final = re.compile(r"v1,[A-Za-z0-9+/]{43}=")
_KEY_BYTES: Final = 32


class SourceSignatures:
    """Knows the secrets of all sources, and whether a request was signed with one of them."""

    def __init__(self, sources: Mapping[str, SourceSecrets]) -> None:
        self._webhooks = {
            name: [Webhook(secret.get_secret_value()) for secret in (pair.current, pair.previous) if secret is not None]
            for name, pair in sources.items()
        }
        # Nobody has this secret: an unknown source takes the same way, and time, as a wrong signature.
        self._nobody = [Webhook(secrets.token_bytes(_KEY_BYTES))]

    def verify(self, source: str, headers: Mapping[str, str], body: str) -> bool:
        """Whether the body was signed by that source, within the last or next 300 s.

        `headers` are those of the scheme, by their lower-case names; the body is the raw one, as text.
        """
        if not headers.get(ID) or _SECONDS.fullmatch(headers.get(TIMESTAMP, "")) is None:
            return False
        # Other versions' signatures may stand beside ours; the library would stumble over garbled ones.
        signatures = [part for part in headers.get(SIGNATURE, "").split(" ") if _SIGNATURE.fullmatch(part)]
        if not signatures:
            return False
        own = {ID: headers[ID], TIMESTAMP: headers[TIMESTAMP], SIGNATURE: " ".join(signatures)}
        verified = [_verified(webhook, own, body) for webhook in self._webhooks.get(source, self._nobody)]
        return any(verified)


def _verified(webhook: Webhook, headers: dict[str, str], body: str) -> bool:
    try:
        webhook.verify(body, headers, json_parse=False)
    except (WebhookVerificationError, ValueError):
        return False
    return True
