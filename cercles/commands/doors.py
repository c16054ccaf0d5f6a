"""The doors of a gateway for commands that send: with the secret that was given, or the one of the environment."""

from cercles.commands.words import fail, settings
from cercles.exit_codes import EXIT_SETTINGS
from cercles.settings import SendSettings
from producers.sending import Gateway, Launcher, Sender


def sender(gateway: Gateway, source: str, secret: str | None) -> Sender:
    """Return what posts to a source's door, or exit with what is missing or wrong."""
    found = settings(SendSettings).secret
    if not secret and found is None:
        fail("no secret to sign with: set CERCLES_SEND_SECRET to the source's secret, whsec_…", EXIT_SETTINGS)
    try:
        return Sender(gateway, source, secret or (found.get_secret_value() if found else ""))
    except ValueError as error:
        fail(str(error), EXIT_SETTINGS)


def launcher(gateway: Gateway, key: str | None) -> Launcher:
    """Return what launches campaigns at the admin door, or exit with what is missing."""
    found = settings(SendSettings).admin_key
    if not key and found is None:
        fail("no key to launch campaigns with: set CERCLES_SEND_ADMIN_KEY to the gateway's admin key", EXIT_SETTINGS)
    return Launcher(gateway, key or (found.get_secret_value() if found else ""))
