"""Pseudonyms of people."""

import hashlib
import hmac

from pydantic import SecretStr

from producers.pseudonyms import Pseudonyms


def test_a_pseudonym_is_a_keyed_hash() -> None:
    """HMAC-SHA256 with the key, its first 32 hex digits after `p_`; whoever has the key can make it again."""
    expected = "p_" + hmac.new(b"the key", b"backer-1", hashlib.sha256).hexdigest()[:32]
    assert Pseudonyms(SecretStr("the key")).of("backer-1") == expected


def test_it_is_the_same_each_time_and_another_for_others() -> None:
    """Also with other ids in between; and of another key nothing can be compared."""
    pseudonyms = Pseudonyms(SecretStr("the key"))
    first, other = pseudonyms.of("a"), pseudonyms.of("b")
    assert pseudonyms.of("a") == first != other
    assert Pseudonyms(SecretStr("another key")).of("a") != first


def test_any_id_has_one() -> None:
    """An e-mail address, or nothing that an id may be made of."""
    assert len(Pseudonyms(SecretStr("k")).of("zwölf € @ example")) == 34
