"""Questions that are asked together are answered together, and none pays for another."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from readers.metrics import ReaderMetrics
from readers.snapshots import QUESTIONS_MAX, QuestionAbout, Snapshots, open_engine
from tests.readers.conftest import settings_for
from tests.readers.stored import Stored

THREADS = 3


class UnanswerableError(Exception):
    """What a question raises by itself."""


@pytest.fixture
def snapshots(stored: Stored) -> Iterator[Snapshots]:
    """Snapshots of the test's database."""
    engine = open_engine(settings_for(stored.url, reads_at_once=THREADS))
    snapshots = Snapshots(engine, ReaderMetrics(), at_once=THREADS, queued_max=100)
    yield snapshots
    snapshots.close()
    engine.dispose()


def _ask_all(snapshots: Snapshots, questions: list[Callable[[Connection], Any]]) -> list[Any]:
    async def ask() -> list[Any]:
        return await asyncio.gather(*map(snapshots.read, questions), return_exceptions=True)

    return asyncio.run(ask())


def _connection_of(connection: Connection) -> int:
    return id(connection)


def test_questions_of_one_moment_share_snapshots(snapshots: Snapshots) -> None:
    """Each at most QUESTIONS_MAX of them; every one has its own answer."""
    seen: list[int] = []

    def question(number: int) -> Callable[[Connection], int]:
        def answer(connection: Connection) -> int:
            seen.append(id(connection))
            return number

        return answer

    numbers = list(range(2 * QUESTIONS_MAX))
    assert _ask_all(snapshots, [question(number) for number in numbers]) == numbers
    assert max(map(seen.count, seen)) == QUESTIONS_MAX


def test_what_one_question_raises_is_its_own(snapshots: Snapshots) -> None:
    """Those before and after it are answered."""

    def unanswerable(_: Connection) -> None:
        raise UnanswerableError

    first, second, third = _ask_all(snapshots, [lambda _: 1, unanswerable, lambda _: 3])
    assert (first, third) == (1, 3)
    assert isinstance(second, UnanswerableError)


def test_a_statement_that_fails_spoils_no_other_question(snapshots: Snapshots) -> None:
    """PostgreSQL gives up the whole transaction: whoever stands behind is asked again in another."""

    def broken(connection: Connection) -> None:
        connection.execute(text("SELECT nothing FROM nowhere"))

    def one(connection: Connection) -> Any:
        return connection.execute(text("SELECT 1")).scalar_one()

    first, second, third, fourth = _ask_all(snapshots, [one, broken, one, broken])
    assert (first, third) == (1, 1)
    assert isinstance(second, SQLAlchemyError)
    assert isinstance(fourth, SQLAlchemyError)


def test_questions_about_things_of_a_kind_look_them_up_together(snapshots: Snapshots) -> None:
    """Once for each snapshot; each is told its own, and what is wrong with one is not the others'."""
    looked_up: list[list[str]] = []

    def find(_: Connection, names: Sequence[str]) -> dict[str, int]:
        looked_up.append(list(names))
        return {name: len(name) for name in names if name != "unknown"}

    def tell(name: str, found: int | None) -> str:
        if found is None:
            raise UnanswerableError
        return f"{name} {found}"

    names = ["one", "three", "unknown", "one"]
    about = [QuestionAbout(find, tell, name) for name in names]
    first, second, third, fourth, other = _ask_all(snapshots, [*about, lambda _: "another"])
    assert (first, second, fourth, other) == ("one 3", "three 5", "one 3", "another")
    assert isinstance(third, UnanswerableError)
    assert looked_up == [names]


def _is_in_transaction(connection: Connection) -> bool:
    driver: Any = connection.connection.dbapi_connection
    if connection.dialect.name == "sqlite":
        return bool(driver.in_transaction)
    return bool(driver.info.transaction_status != TransactionStatus.IDLE)


def test_one_lookup_needs_no_transaction_and_anything_more_has_one(snapshots: Snapshots) -> None:
    """One statement sees one state by itself; two see one only together."""

    def find(connection: Connection, names: Sequence[str]) -> dict[str, bool]:
        return dict.fromkeys(names, _is_in_transaction(connection))

    def find_otherwise(connection: Connection, names: Sequence[str]) -> dict[str, bool]:
        return find(connection, names)

    def tell(_: str, found: bool | None) -> bool | None:  # noqa: FBT001
        return found

    about, otherwise = (QuestionAbout(each, tell, "one") for each in (find, find_otherwise))
    assert _ask_all(snapshots, [about, about]) == [False, False]
    assert _ask_all(snapshots, [about, otherwise]) == [True, True]
    assert _ask_all(snapshots, [about, _is_in_transaction]) == [True, True]
    assert _ask_all(snapshots, [_is_in_transaction]) == [True]
    assert snapshots.read_here(_is_in_transaction)


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_a_connection_that_has_died_costs_no_answer(snapshots: Snapshots, stored: Stored) -> None:
    """What was connected before the database's restart is given up, and whoever asks hears nothing of it."""

    def find(connection: Connection, names: Sequence[str]) -> dict[str, int]:
        process_id: int = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        return dict.fromkeys(names, process_id)

    def tell(_: str, found: int | None) -> int | None:
        return found

    question = QuestionAbout(find, tell, "one")
    for ask in (lambda: _ask_all(snapshots, [question])[0], lambda: snapshots.read_here(question)):
        before = ask()
        with stored.engine.begin() as connection:
            connection.execute(text("SELECT pg_terminate_backend(:process_id)"), {"process_id": before})
        after = ask()
        assert isinstance(after, int)
        assert after != before


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)
def test_when_no_other_connection_can_be_had_all_are_told_so(
    snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those whose answers the connection that died had given already."""
    begun: list[None] = []
    begin = Engine.begin

    def begin_once(engine: Engine) -> Any:
        begun.append(None)
        if len(begun) > 1:
            raise OperationalError("connect", None, ConnectionRefusedError())
        return begin(engine)

    def dying(connection: Connection) -> None:
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    monkeypatch.setattr(Engine, "begin", begin_once)
    told = _ask_all(snapshots, [lambda _: 1, dying, lambda _: 3])
    assert [type(each) for each in told] == [OperationalError] * 3
    assert len(begun) == 2


def test_a_lookup_that_fails_fails_those_who_asked_for_it(snapshots: Snapshots) -> None:
    """Beside them everybody is answered."""

    def find(connection: Connection, _: Sequence[str]) -> dict[str, int]:
        connection.execute(text("SELECT nothing FROM nowhere"))
        return {}

    def tell(name: str, __: int | None) -> str:
        return name

    about = QuestionAbout(find, tell, "one")
    first, second, third, fourth = _ask_all(snapshots, [about, lambda _: 2, about, lambda _: 4])
    assert (second, fourth) == (2, 4)
    assert isinstance(first, SQLAlchemyError)
    assert isinstance(third, SQLAlchemyError)


@pytest.mark.parametrize("statement", ["SELECT nothing FROM nowhere", None])
def test_a_lookup_that_fails_is_not_tried_again_for_each(snapshots: Snapshots, statement: str | None) -> None:
    """Eight who share one that takes until its bound would wait eight times as long."""
    tried: list[int] = []

    def find(connection: Connection, names: Sequence[str]) -> dict[str, int]:
        tried.append(len(names))
        if statement is None:
            raise UnanswerableError
        connection.execute(text(statement))
        return {}

    def tell(name: str, __: int | None) -> str:
        return name

    told = _ask_all(snapshots, [QuestionAbout(find, tell, str(number)) for number in range(QUESTIONS_MAX)])
    assert all(isinstance(each, SQLAlchemyError | UnanswerableError) for each in told)
    assert tried == [QUESTIONS_MAX]


def test_a_connection_that_can_not_be_had_is_not_tried_again_for_each(
    snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those who share a snapshot share that there is none."""
    tried: list[None] = []

    def away(_: object) -> None:
        tried.append(None)
        raise OperationalError("connect", None, ConnectionRefusedError())

    monkeypatch.setattr(Engine, "begin", away)
    told = _ask_all(snapshots, [_connection_of] * QUESTIONS_MAX)
    assert [type(each) for each in told] == [OperationalError] * QUESTIONS_MAX
    assert len(tried) == 1


def test_without_a_thread_nobody_waits_for_ever(snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody is told why."""

    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_thread)
    told = _ask_all(snapshots, [_connection_of] * 3)
    assert [type(each) for each in told] == [RuntimeError] * 3


def test_a_slow_question_holds_up_nobody_who_asks_after_it(snapshots: Snapshots) -> None:
    """While a thread is busy, another takes what has gathered."""
    asked_later = threading.Event()

    def slow(_: Connection) -> bool:
        return asked_later.wait(10)

    def quick(_: Connection) -> None:
        asked_later.set()

    async def ask() -> bool:
        slowly = asyncio.create_task(snapshots.read(slow))
        await asyncio.sleep(0.05)
        await snapshots.read(quick)
        return await slowly

    assert asyncio.run(ask())


def test_a_question_whose_asker_has_left_disturbs_no_other(snapshots: Snapshots) -> None:
    """Its answer is dropped."""

    async def ask() -> int:
        leaving = asyncio.create_task(snapshots.read(_connection_of))
        staying = asyncio.create_task(snapshots.read(lambda _: 7))
        await asyncio.sleep(0)
        leaving.cancel()
        return await staying

    assert asyncio.run(ask()) == 7


def test_whatever_keeps_a_snapshot_from_being_taken_is_told_to_all(
    snapshots: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also an error that is not the database's: nobody waits for ever."""

    def no_snapshot(_: object) -> None:
        raise UnanswerableError

    monkeypatch.setattr(Engine, "begin", no_snapshot)
    told = _ask_all(snapshots, [_connection_of] * 3)
    assert [type(each) for each in told] == [UnanswerableError] * 3
