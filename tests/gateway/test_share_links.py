"""Tickets say of themselves which share they are, and nobody else makes one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from producers.gateway.share_links import ShareLink, ShareLinks
from producers.pseudonyms import Pseudonyms

KEY = SecretStr("a-key-of-these-tests")
LINKS = ShareLinks(KEY)
ids = st.text("abc.:-_09", min_size=1, max_size=64)
tokens = st.text("abcXYZ019-_", min_size=24, max_size=24)


def ticket(campaign_id: str, token: str, links: ShareLinks = LINKS) -> str:
    return links.path(ShareLink(campaign_id, token)).removeprefix("/s/")


@given(ids.filter(lambda name: name not in {".", ".."}), tokens)
def test_a_ticket_stands_for_its_share(campaign_id: str, token: str) -> None:
    """Whatever the campaign is called."""
    assert LINKS.read(ticket(campaign_id, token)) == ShareLink(campaign_id, token)


@given(ids, tokens, st.data())
def test_a_changed_ticket_stands_for_nothing(campaign_id: str, token: str, data: st.DataObject) -> None:
    """One character more, less or other, anywhere in it."""
    made = ticket(campaign_id, token)
    place = data.draw(st.integers(0, len(made) - 1))
    character = data.draw(st.sampled_from("abcXYZ019.-_").filter(lambda one: one != made[place]))
    for changed in (made[:place] + character + made[place + 1 :], made[:place] + made[place + 1 :], made + character):
        assert LINKS.read(changed) is None


@pytest.mark.parametrize("other", ["", ".", "..", "...", "a", "a.b", "a.b.c", "é.b.c", "\ud7ff.b.c", "a.b.c" * 10_000])
def test_anything_else_stands_for_nothing(other: str) -> None:
    """Too short, too long, or not of our characters."""
    assert LINKS.read(other) is None


@pytest.mark.parametrize("campaign_id", [".", ".."])
def test_an_id_that_leads_elsewhere_has_no_page(campaign_id: str) -> None:
    """As a segment of a path it would name the directory, or the one above."""
    assert LINKS.read(ticket(campaign_id, "t" * 24)) is None


def test_another_key_makes_other_tickets() -> None:
    """And does not take ours."""
    other = ShareLinks(SecretStr("another-key-of-these-tests"))
    assert other.read(ticket("film", "t" * 24)) is None


def test_a_pseudonym_is_no_code() -> None:
    """They are made with the same key, for another purpose."""
    told = Pseudonyms(KEY).of("film." + "t" * 24)
    assert ticket("film", "t" * 24).rpartition(".")[2] not in told
