"""The page as the server sends it: its words, its languages, what it lets in, and what it weighs."""

import dataclasses
import re
import string
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

import readers.page
from readers.page.languages import ENGLISH, FRENCH, choose_language
from readers.page.words import EN, FR, Counted
from tests.readers.conftest import StartReader
from tests.readers.film import Film
from tests.readers.stored import Line, Stored

PAGE = Path(readers.page.__file__).parent
BYTES_MAX = 100_000
NARROW, SPACE = "\N{NARROW NO-BREAK SPACE}", "\N{NO-BREAK SPACE}"


def words_of(html: str) -> str:
    """Return what a person reads of a page."""
    body = html.partition("<body>")[2]
    return " ".join(re.sub(r"<[^>]*>", " ", body).split(" ")).replace("\n", " ")


def test_the_film_stands_there_exactly(stored: Stored, start_reader: StartReader) -> None:
    """17 230 € of 15 000 €, 115 %, both amounts apart, the circles and the milestones as the story has them."""
    film = Film(stored.engine)
    film.launch()
    for _ in film.chapters():
        pass
    api = start_reader()
    page = f"/campaigns/{film.campaign_id}"
    told = {code: re.sub(r"\s+", " ", words_of(api.get(page, params={"lang": code}).text)) for code in ("en", "fr")}
    assert "17 230 € of 15 000 € 115 %" in told["en"]
    assert "17 230 € sur 15 000 € 115 %" in told["fr"]
    assert "Pledged 17 230 € promised by backers Collected 14 460 € already paid Backers 183" in told["en"]
    assert "Promis 17 230 € annoncé par les contributeurs Encaissé 14 460 € déjà payé Contributeurs 183" in told["fr"]
    for row in (
        "Friends 5 965 € 5 165 € 31 35 %",
        "Friends of friends 6 325 € 5 750 € 64 37 %",
        "Public 4 665 € 3 310 € 83 27 %",
        "Unknown origin 275 € 235 € 9 2 %",
    ):
        assert row in told["en"]
    milestones = re.findall(
        r"(?:110 %|105 %|75 %|50 %|25 %) of the goal with|Above the goal with|Goal \w+(?: again)? with", told["en"]
    )
    assert [words.removesuffix(" with") for words in milestones] == [
        "110 % of the goal",
        "105 % of the goal",
        "Above the goal",
        "Goal reached again",
        "Goal lost",
        "Goal reached",
        "75 % of the goal",
        "50 % of the goal",
        "25 % of the goal",
    ]
    whole = api.get(f"/v1/campaigns/{film.campaign_id}").json()
    assert (whole["totals"]["pledged"], whole["totals"]["percent"]) == ("17230.00", 115)
    weight = sum(len(api.get(path).content) for path in (page, *(f"/assets/{one.name}" for one in assets())))
    assert weight < BYTES_MAX


def assets() -> list[Path]:
    """Return the files that the pages load."""
    return sorted((PAGE / "assets").iterdir())


@pytest.mark.parametrize(
    ("asked", "header", "code"),
    [
        (None, "", "en"),
        (None, "fr", "fr"),
        (None, "fr-CA, en;q=0.8", "fr"),
        (None, "en-GB,en;q=0.9,fr;q=0.95", "en"),
        (None, "de, fr;q=0.3, en;q=0.2", "fr"),
        (None, "de, *;q=0.5", "en"),
        (None, "fr;q=0, en;q=0.1", "en"),
        (None, "FR", "fr"),
        (None, ";;;q=, ,\u00e9", "en"),
        ("fr", "en", "fr"),
        ("en", "fr", "en"),
    ],
)
def test_the_language_is_the_one_asked_for_or_the_browsers(asked: str | None, header: str, code: str) -> None:
    """By RFC 9110, section 12.5.4; English for who reads neither."""
    assert choose_language(asked, header).code == code


def test_numbers_are_written_as_people_read_them() -> None:
    """Minor digits only where there are any, by the currency's own exponent; nothing breaks at the end of a line."""
    assert ENGLISH.money(1_723_000, "EUR") == FRENCH.money(1_723_000, "EUR") == f"17{NARROW}230{SPACE}€"
    assert (ENGLISH.money(1_250, "EUR"), FRENCH.money(1_250, "EUR")) == (f"12.50{SPACE}€", f"12,50{SPACE}€")
    assert ENGLISH.money(1_234_567, "JPY").startswith(f"1{NARROW}234{NARROW}567{SPACE}")
    assert ENGLISH.money(1_500, "TND") == f"1.500{SPACE}TND"
    assert ENGLISH.money(10**18, "EUR").startswith(f"10{NARROW}000")
    assert FRENCH.percent(115) == ENGLISH.percent(115) == f"115{SPACE}%"
    assert [FRENCH.count(number, FR.backers) for number in (0, 1, 2)] == [
        f"{number} contributeur{ending}" for number, ending in ((0, ""), (1, ""), (2, "s"))
    ]
    assert [ENGLISH.count(number, EN.backers) for number in (0, 1, 2)] == ["0 backers", "1 backer", "2 backers"]


def test_both_languages_say_the_same() -> None:
    """Each phrase is there, is used, and is filled in with the same things."""
    sources = "".join(path.read_text(encoding="utf-8") for path in [*PAGE.glob("*.py"), *PAGE.glob("templates/*")])
    for field in dataclasses.fields(EN):
        assert re.search(rf"words\.{field.name}\b", sources), f"{field.name} is said nowhere"
        ours, theirs = (phrases(getattr(words, field.name)) for words in (EN, FR))
        assert list(map(filled, ours)) == list(map(filled, theirs)), field.name
        assert all(ours)
        assert all(theirs)


def phrases(said: object) -> list[str]:
    """Return the texts of one field of the words."""
    if isinstance(said, Counted):
        return [said.one, said.more]
    return list(map(str, said.values())) if isinstance(said, dict) else [str(said)]


def filled(phrase: str) -> set[str]:
    """Return the names in braces."""
    return {name for _, name, _, _ in string.Formatter().parse(phrase) if name}


def test_nothing_from_elsewhere_and_nothing_inline(stored: Stored, api: httpx.Client) -> None:
    """The policy forbids it, and the page does not need it."""
    stored.campaign()
    stored.entries(1, [Line(2_000)])
    for path in ("/campaigns", "/campaigns/film", "/campaigns/nobody"):
        answer = api.get(path)
        policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
        assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
        assert {*policy.values()} == {"'none'", "'self'"}
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\son\w+=|https?:|//", answer.text)
        for target in re.findall(r'(?:src|href)="([^"#?]+)"', answer.text):
            assert api.get(target).status_code == 200, target
    assert api.get("/assets/nothing.js").status_code == 404


def test_a_title_is_words_and_nothing_else(stored: Stored, api: httpx.Client) -> None:
    """Whatever an owner writes, and whatever a stretch goal is called."""
    hostile = '"><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 * 7 }}'
    goal = {"stretch_goal_id": "s", "title": hostile, "amount_minor": 2_000_000}
    stored.campaign(title=hostile, stretch_goals=[goal])
    stored.milestone(1, "cercles.stretch_goal.reached", stretch_goal_id="s")
    for path in ("/campaigns", "/campaigns/film"):
        page = api.get(path).text
        assert "&lt;script&gt;" in page
        assert "<script>" not in page
        assert "<img" not in page
        assert "{{ 7 * 7 }}" in page


def test_a_circle_that_opened_early_is_told_as_bad_news(stored: Stored, api: httpx.Client) -> None:
    """With both circles by name, the part that was asked for, and what the narrower one had."""
    stored.campaign()
    circles: dict[str, Any] = {"circle": "public", "narrower_circle": "friends_of_friends"}
    stored.milestone(3, "cercles.circle.opened_early", step=30, threshold_minor=450_000, total_minor=10_050, **circles)
    told = {code: api.get("/campaigns/film", params={"lang": code}).text for code in ("en", "fr")}
    assert '<li class="bad"><strong><bdi>“Public” opened before “Friends of friends” had carried' in told["en"]
    assert '<li class="bad"><strong><bdi>« Grand public » ouvert avant que « Amis d’amis » n’ait porté' in told["fr"]
    for page in told.values():
        assert f"30{SPACE}%" in page
        assert "100.50" in page or "100,50" in page


def test_what_is_not_there_is_a_page_too(stored: Stored, api: httpx.Client) -> None:
    """For people, in their language, under the status that the API answers with."""
    for path, status in (
        ("/campaigns/nobody", 404),
        ("/campaigns/a%20b", 400),
        ("/campaigns/film%0A", 400),
        ("/campaigns?lang=de", 400),
        ("/campaigns?lang=fr%0A", 400),
        ("/campaigns?cursor=film%0A", 400),
    ):
        answer = api.get(path, headers={"accept-language": "fr"})
        assert answer.status_code == status
        assert answer.headers["content-type"].startswith("text/html")
        assert answer.headers["cache-control"] == "no-store"
        assert FR.fault_title in answer.text
    with stored.engine.begin() as connection:
        connection.execute(text("ALTER TABLE campaign_totals RENAME TO gone"))
    answer = api.get("/campaigns/film", params={"lang": "fr"})
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert FR.come_back in answer.text


def test_an_unchanged_page_is_not_sent_again(stored: Stored, api: httpx.Client) -> None:
    """304 for who has it, apart for each language."""
    stored.campaign()
    first = api.get("/campaigns/film", headers={"accept-language": "fr"})
    assert (first.headers["content-language"], first.headers["vary"]) == ("fr", "Accept-Language")
    known = {"if-none-match": first.headers["etag"]}
    assert api.get("/campaigns/film", headers={"accept-language": "fr", **known}).status_code == 304
    assert api.get("/campaigns/film", headers={"accept-language": "en", **known}).status_code == 200
    stored.entries(1, [Line(100)])
    assert api.get("/campaigns/film", headers={"accept-language": "fr", **known}).status_code == 200


def test_the_index_lists_every_campaign(stored: Stored, api: httpx.Client) -> None:
    """Page by page, each with a link to its own page."""
    assert EN.no_campaigns in api.get("/campaigns").text
    for number in range(103):
        stored.campaign(f"film-{number:03}", offset=number, title=f"Film {number}")
    first = api.get("/campaigns", params={"lang": "fr"}).text
    following = re.search(r'<a rel="next" href="([^"]+)"', first)
    assert following is not None
    second = api.get(following[1].replace("&amp;", "&")).text
    listed = [re.findall(r'href="(/campaigns/[^"?]+)\?lang=fr"', page) for page in (first, second)]
    assert list(map(len, listed)) == [100, 3]
    assert [*listed[0], *listed[1]] == [f"/campaigns/film-{number:03}" for number in range(103)]
    assert 'rel="next"' not in second


def test_what_is_wrong_with_a_campaign_is_said(stored: Stored, api: httpx.Client) -> None:
    """A gap, a change under way, late and returned money: shown when they are there, and only then."""
    stored.campaign()
    noticeable = (EN.incomplete, EN.gap.format(position="0:7"), EN.late_note, EN.over_returned_note)
    page = api.get("/campaigns/film").text
    assert not any(words in page for words in noticeable)
    assert EN.no_pledge in page
    assert EN.as_of_nothing.format(position="0:0") in page
    stored.totals(complete=False, gap_offset=7, late_minor=100, over_returned_minor=200)
    page = api.get("/campaigns/film").text
    assert all(words in page for words in noticeable)
