"""What a visit's request tells: whether a person is behind it, and from which public place it comes.

No address, no cookie and no header is kept of it, only these two words. Both rules are rough by nature: who wants to
pass for a person, or to hide where they come from, does.
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from producers.metrics import VisitKind
from schemas.fields import VisitOrigin

# Words by which programs name themselves, among them the previews of chats and networks. Cubot makes telephones.
_BOT: Final = re.compile(
    r"(?<!cu)bots?(?![a-z])|robot|crawl|spider|slurp|preview|facebookexternalhit|facebookcatalog|meta-external|whatsapp/"
    r"|embedly|scan|monitor|uptime|lighthouse|headless|phantomjs|curl|wget|python|java/|okhttp|go-http|libwww|httpx|axios"
    r"|node-fetch|fetch/|http-client|httpclient|feed",
    re.IGNORECASE,
)

# Fetch Metadata (`Sec-Purpose`, the HTML Living Standard), and what browsers sent before there was one.
_PREFETCH: Final = {"sec-purpose": "prefetch", "purpose": "prefetch", "x-purpose": "preview", "x-moz": "prefetch"}

_HOSTS: Final[dict[str, VisitOrigin]] = {
    "facebook.com": "facebook",
    "fb.com": "facebook",
    "fb.me": "facebook",
    "messenger.com": "facebook",
    "instagram.com": "instagram",
    "threads.net": "instagram",
    "linkedin.com": "linkedin",
    "lnkd.in": "linkedin",
    "mastodon.social": "mastodon",
    "reddit.com": "reddit",
    "google.com": "search",
    "google.fr": "search",
    "bing.com": "search",
    "duckduckgo.com": "search",
    "ecosia.org": "search",
    "qwant.com": "search",
    "mail.google.com": "email",
    "outlook.live.com": "email",
    "mail.yahoo.com": "email",
    "snapchat.com": "snapchat",
    "t.me": "telegram",
    "telegram.org": "telegram",
    "tiktok.com": "tiktok",
    "whatsapp.com": "whatsapp",
    "wa.me": "whatsapp",
    "x.com": "x",
    "twitter.com": "x",
    "t.co": "x",
    "youtube.com": "youtube",
    "youtu.be": "youtube",
}
"""Hosts of referrers, those below them included: the longest that fits counts."""

_SOURCES: Final[dict[str, VisitOrigin]] = {
    "direct": "direct",
    "email": "email",
    "e-mail": "email",
    "mail": "email",
    "newsletter": "email",
    "facebook": "facebook",
    "fb": "facebook",
    "messenger": "facebook",
    "instagram": "instagram",
    "ig": "instagram",
    "threads": "instagram",
    "linkedin": "linkedin",
    "mastodon": "mastodon",
    "reddit": "reddit",
    "google": "search",
    "bing": "search",
    "search": "search",
    "snapchat": "snapchat",
    "telegram": "telegram",
    "tiktok": "tiktok",
    "whatsapp": "whatsapp",
    "wa": "whatsapp",
    "x": "x",
    "twitter": "x",
    "youtube": "youtube",
}
"""Values of `utm_source`, in lower case."""

_HOST_LENGTH_MAX: Final = 253
"""Characters of a host's name, without the dot at its end (RFC 1035, section 2.3.4)."""


def kind_of(method: str, headers: Mapping[str, str]) -> VisitKind:
    """Return what the request is. The names of headers are in lower case."""
    agent = headers.get("user-agent", "")
    if not agent or _BOT.search(agent) is not None:
        return "bot"
    if method == "HEAD" or any(headers.get(name, "").lower().startswith(value) for name, value in _PREFETCH.items()):
        return "prefetch"
    return "visit"


def origin_of(utm_source: str | None, referrer: str | None) -> VisitOrigin:
    """Return where the request comes from: what the link's sharer says of it, else the host of the page before.

    Names that we do not know are `other`, so that nobody fills the log with words of their own.
    """
    if utm_source:
        return _SOURCES.get(utm_source.lower()) or _of_host(utm_source.lower()) or "other"
    host = _host(referrer or "")
    return "direct" if host is None else _of_host(host) or "other"


def _host(referrer: str) -> str | None:
    """Return the host of a URL; that of an application is its name (`android-app://com.example`)."""
    try:
        return urlsplit(referrer).hostname
    except ValueError:
        return None


def _of_host(host: str) -> VisitOrigin | None:
    if len(host) > _HOST_LENGTH_MAX:
        return None
    labels = host.split(".")
    for start in range(len(labels)):
        origin = _HOSTS.get(".".join(labels[start:]))
        if origin is not None:
            return origin
    return None
