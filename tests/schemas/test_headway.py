"""What counts as getting on."""

from schemas.headway import Headway, UnderWay


def test_nothing_to_do_is_headway() -> None:
    """However long nothing happens: what counts is that it was seen just now."""
    headway = Headway()
    for made in range(1, 4):
        headway.note({})
        assert (headway.made, headway.standing) == (made, {})


def test_what_waits_must_move() -> None:
    """What is new counts as moving; what stands where it stood does not, and is named."""
    headway = Headway()
    headway.note({"partition 1": 5})
    assert headway.made == 1
    headway.note({"partition 1": 5})
    headway.note({"partition 1": 5})
    assert (headway.made, headway.standing) == (1, {"partition 1": 5})
    headway.note({"partition 1": 6})
    assert (headway.made, headway.standing) == (2, {})


def test_one_thing_that_waits_for_ever_is_not_hidden_by_what_else_is_done() -> None:
    """Every partition has to move, though not between any two notes."""
    headway = Headway()
    for offset in range(10):
        headway.note({"partition 1": 5, "partition 2": offset})
    assert (headway.made, headway.standing) == (1, {"partition 1": 5})
    headway.note({"partition 1": 6, "partition 2": 9})
    assert headway.made == 2


def test_things_may_move_in_turns() -> None:
    """Each is compared with where it stood when the last headway was made, not with the note before."""
    headway = Headway()
    headway.note({"one": 1, "two": 1})
    headway.note({"one": 2, "two": 1})
    headway.note({"one": 2, "two": 2})
    assert headway.made == 2


def test_the_oldest_under_way_moves_on_when_it_ends() -> None:
    """Whatever ends behind it moves nothing."""
    under_way: UnderWay[str] = UnderWay("oldest read")
    assert under_way.oldest() == {}
    for name in ("first", "second", "third"):
        under_way.begin(name)
    assert under_way.oldest() == {"oldest read": 1}
    under_way.end("second")
    assert (under_way.oldest(), under_way.things()) == ({"oldest read": 1}, ["first", "third"])
    under_way.end("first")
    assert under_way.oldest() == {"oldest read": 3}
    under_way.end("third")
    assert under_way.oldest() == {}


def test_a_number_is_never_given_twice() -> None:
    """One that takes the place of another is another: that is headway."""
    under_way: UnderWay[str] = UnderWay("oldest read")
    under_way.begin("read")
    before = under_way.oldest()
    under_way.end("read")
    under_way.begin("read")
    assert under_way.oldest() != before
