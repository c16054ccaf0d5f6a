"""Who visits, and from where: two words, and nothing else is kept."""

import pytest

from producers.gateway.visitors import kind_of, origin_of

_IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
_CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Mobile Safari/537.36"
PEOPLE = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    f"{_IPHONE} Version/18.1 Mobile/15E148 Safari/604.1",
    f"{_IPHONE} Mobile/22B83 Instagram 356.0.0.26.92 (iPhone16,2; iOS 18_1; fr_FR; fr; scale=3.00; 1290x2796)",
    f"Mozilla/5.0 (Linux; Android 14) {_CHROME} [FB_IAB/FB4A;FBAV/490.0.0.63.82;]",
    f"Mozilla/5.0 (Linux; Android 9; CUBOT_X18_Plus) {_CHROME}",
    f"Mozilla/5.0 (Linux; Android 10; CUBOT) {_CHROME}",
]
PROGRAMS = [
    "",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Twitterbot/1.0",
    "WhatsApp/2.24.20.89 A",
    "TelegramBot (like TwitterBot)",
    "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/131.0 Safari/537.36",
    "curl/8.5.0",
    "python-requests/2.32",
    "Go-http-client/2.0",
]


@pytest.mark.parametrize("agent", PEOPLE)
def test_browsers_are_people(agent: str) -> None:
    """Those within applications too."""
    assert kind_of("GET", {"user-agent": agent}) == "visit"


@pytest.mark.parametrize("agent", PROGRAMS)
def test_programs_say_so(agent: str) -> None:
    """Crawlers, previews of chats, libraries, and whoever says nothing; also when they ask for the head alone."""
    assert kind_of("GET", {"user-agent": agent}) == kind_of("HEAD", {"user-agent": agent}) == "bot"


def test_without_a_word_it_is_a_program() -> None:
    """Every browser sends User-Agent."""
    assert kind_of("GET", {}) == "bot"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sec-purpose", "prefetch"),
        ("sec-purpose", "prefetch;prerender"),
        ("purpose", "prefetch"),
        ("x-purpose", "preview"),
        ("x-moz", "prefetch"),
        ("Purpose".lower(), "Prefetch"),
    ],
)
def test_a_look_ahead_is_no_visit(name: str, value: str) -> None:
    """As browsers say it today, and as they said it before."""
    assert kind_of("GET", {"user-agent": PEOPLE[0], name: value}) == "prefetch"


def test_who_asks_for_the_head_alone_does_not_visit() -> None:
    """A person never does; other purposes are none of ours."""
    assert kind_of("HEAD", {"user-agent": PEOPLE[0]}) == "prefetch"
    assert kind_of("GET", {"user-agent": PEOPLE[0], "sec-purpose": "something-else"}) == "visit"


@pytest.mark.parametrize(
    ("source", "referrer", "origin"),
    [
        (None, None, "direct"),
        ("", "", "direct"),
        (None, "https://www.facebook.com/", "facebook"),
        (None, "https://l.facebook.com/l.php?u=x", "facebook"),
        (None, "https://FACEBOOK.com:443/", "facebook"),
        (None, "https://t.co/abc", "x"),
        (None, "https://mail.google.com/", "email"),
        (None, "https://www.google.com/", "search"),
        (None, "https://notfacebook.com/", "other"),
        (None, "https://facebook.com.example/", "other"),
        (None, "android-app://org.telegram.messenger/", "other"),
        (None, "https://[broken", "direct"),
        (None, "about:blank", "direct"),
        ("WhatsApp", None, "whatsapp"),
        ("ig", "https://www.facebook.com/", "instagram"),
        ("t.co", None, "x"),
        (None, "https://" + "a." * 30_000 + "t.co/", "other"),
        (None, "https://" + "a" * (253 - len(".t.co")) + ".t.co/", "x"),
        (None, "https://" + "a" * (254 - len(".t.co")) + ".t.co/", "other"),
        ("my-own-campaign-7", "https://www.facebook.com/", "other"),
    ],
)
def test_origins_are_public_places(source: str | None, referrer: str | None, origin: str) -> None:
    """What the link says goes before the referrer; what is not known has one name."""
    assert origin_of(source, referrer) == origin
