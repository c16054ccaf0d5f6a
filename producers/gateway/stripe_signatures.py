"""Signatures of Stripe's webhooks.

Source: Stripe's documentation, "Receive Stripe events in your webhook endpoint", section "Verify webhook signatures
manually": HMAC-SHA256, with the endpoint's secret as it is shown, of the time, a point and the raw body, in
hexadecimal; any of several `v1` will do. Ours also refuses a time ahead of the clock, which Stripe's own libraries let
pass.
"""

import hmac
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from producers.settings import StripeSecrets

HEADER: Final = "stripe-signature"
TOLERANCE_SECONDS: Final = 300

_SECONDS: Final = re.compile(r"[0-9]{1,12}")
_SIGNATURE: Final = re.compile(r"[0-9a-f]{64}")


class StripeSignatures:
    """Knows the signing secrets of all accounts, and whether Stripe signed a request with one of them."""

    def __init__(self, accounts: Mapping[str, StripeSecrets], now: Callable[[], datetime]) -> None:
        self._secrets = {
            name: [secret.get_secret_value().encode() for secret in (pair.current, pair.previous) if secret is not None]
            for name, pair in accounts.items()
        }
        # Nobody has this secret: an unknown account takes the same way, and time, as a wrong signature.
        self._nobody = [secrets.token_bytes(32)]
        self._now = now

    def verify(self, account: str, header: str, body: bytes) -> bool:
        """Whether the body was signed with a secret of that account, within the last or next 300 s."""
        parts = [part.partition("=") for part in header.split(",")]
        times = [value for name, _, value in parts if name.strip() == "t"]
        signatures = [value for name, _, value in parts if name.strip() == "v1" and _SIGNATURE.fullmatch(value)]
        if len(times) != 1 or _SECONDS.fullmatch(times[0]) is None:
            return False
        if abs(self._now().timestamp() - int(times[0])) > TOLERANCE_SECONDS:
            return False
        signed = times[0].encode() + b"." + body
        expected = [hmac.digest(secret, signed, "sha256").hex() for secret in self._secrets.get(account, self._nobody)]
        matches = [hmac.compare_digest(one, other) for one in expected for other in signatures]
        return any(matches)
