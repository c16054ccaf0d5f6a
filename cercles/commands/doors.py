"""The doors of a gateway for commands that send: with the secret that was given, or the one of the environment."""

from pydantic import SecretStr

from cercles.commands.words import fail, settings
from cercles.exit_codes import EXIT_SETTINGS
from cercles.settings import SendSettings
from producers.sending import Gateway, Launcher, Sender


def sender(gateway: Gateway, source: str, secret: str | None) -> Sender:
    """Return what posts to a source's door, or exit with what is missing or wrong."""
    missing = "no secret to sign with: set CERCLES_SEND_SECRET to the source's secret, whsec_…"
    try:
        return Sender(gateway, source, _given(secret, settings(SendSettings).secret, missing))
    except ValueError as error:
        fail(str(error), EXIT_SETTINGS)


def launcher(gateway: Gateway, key: str | None) -> Launcher:
    """Return what launches campaigns at the admin door, or exit with what is missing."""
    missing = "no key to launch campaigns with: set CERCLES_SEND_ADMIN_KEY to the gateway's admin key"
    return Launcher(gateway, _given(key, settings(SendSettings).admin_key, missing))


def _given(option: str | None, setting: SecretStr | None, missing: str) -> str:
    """Return the option, else the setting, or exit with the words for when there is neither."""
    if option:
        return option
    if setting is None:
        fail(missing, EXIT_SETTINGS)
    return setting.get_secret_value()
