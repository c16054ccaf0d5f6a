"""Snapshots: every answer is read from one state of the database, by one transaction or by one statement.

The engine is a synchronous one, used in a few threads: the driver of SQLite has no other form, and one code path for
both databases is worth more than the threads cost.

What the threads cost is shared, and most of it is waking them: for each question, and for each word to the database.
Whoever asks while nobody else does is answered at once; while a thread is busy, questions gather for a moment, and the
next thread answers them all from one snapshot. Those that ask the same about different things have one statement in
common, which is a snapshot by itself: when nobody asks anything else, nothing else is said to the database. The more is
asked, the less each question costs.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from readers.metrics import ReaderMetrics
from readers.settings import ReaderSettings
from schemas.headway import UnderWay

_RECYCLE_SECONDS: Final = 300
"""A connection is replaced after this time, so that none reads a file that was moved away for longer."""

QUESTIONS_MAX: Final = 16
"""Most questions that one snapshot answers: one that takes long keeps those behind it waiting."""

GATHER_SECONDS_MAX: Final = 0.005
"""Longest that questions gather while a thread is busy; then another thread takes them."""

_ASK_AGAIN: Final = object()
"""In place of an outcome: the transaction broke before the question's turn."""

_ONE_STATEMENT: Final = "cercles_one_statement"
"""Execution option of a connection that is asked one thing, which is a snapshot by itself."""

_Found = TypeVar("_Found")
_Answer = TypeVar("_Answer")


class ReadsQueueFullError(Exception):
    """Too many reads stand in line."""


def open_engine(settings: ReaderSettings) -> Engine:
    """Return an engine that can only read, and whose every transaction is one snapshot. Connects at first use.

    Raises ValueError when the URL names neither a file of SQLite nor PostgreSQL by psycopg.
    """
    url = make_url(settings.database.url.get_secret_value())
    # One more than the threads: readiness is asked from outside of them.
    pool = {
        "pool_size": settings.reads_at_once + 1,
        "max_overflow": 0,
        "pool_timeout": settings.read_seconds,
        "pool_recycle": _RECYCLE_SECONDS,
    }
    if url.get_backend_name() == "sqlite":
        return _open_sqlite(url, settings.read_seconds, pool)
    if url.get_backend_name() == "postgresql":
        return _open_postgresql(url, settings.read_seconds, pool)
    raise ValueError(f"CERCLES_DATABASE_URL: {url.get_backend_name()!r} is neither sqlite nor postgresql")


def _open_sqlite(url: URL, seconds: float, pool: dict[str, Any]) -> Engine:
    if url.database in (None, "", ":memory:"):
        raise ValueError("CERCLES_DATABASE_URL: a database in memory is nobody else's, so there is nothing to read")
    # Read-only by the file's own URI (sqlite.org/uri.html): a wrong path is an error, not a new and empty database.
    path = Path(str(url.database)).absolute().as_uri()
    read_only = url.set(database=path, query={"mode": "ro", "uri": "true"})
    engine = create_engine(read_only, connect_args={"timeout": seconds}, **pool)

    @event.listens_for(engine, "connect")
    def leave_transactions_to_us(connection: Any, _record: object) -> None:
        connection.isolation_level = None

    # Left alone, the driver opens no transaction for SELECT: two of them would see two states.
    return _with_snapshots(engine, "BEGIN DEFERRED")


def _open_postgresql(url: URL, seconds: float, pool: dict[str, Any]) -> Engine:
    connect_seconds = max(1, round(seconds))
    engine = create_engine(url, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": connect_seconds}, **pool)

    @event.listens_for(engine, "connect")
    def bound_statements(connection: Any, _record: object) -> None:
        connection.execute("SET SESSION default_transaction_read_only = on")
        connection.execute(f"SET SESSION statement_timeout = {round(seconds * 1000)}")

    return _with_snapshots(engine, "BEGIN ISOLATION LEVEL REPEATABLE READ")


def _with_snapshots(engine: Engine, statement: str) -> Engine:
    """Let every transaction of an engine whose driver begins none be a snapshot, which that statement begins."""

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if not connection.get_execution_options().get(_ONE_STATEMENT):
            connection.exec_driver_sql(statement)

    return engine


@dataclass(frozen=True, slots=True)
class QuestionAbout(Generic[_Found, _Answer]):
    """A question about one of many things of a kind: those with the same `find` look theirs up together."""

    find: Callable[[Connection, Sequence[str]], Mapping[str, _Found]]
    """Returns, by one statement, what stands in the database of each that is named; of one that is unknown, nothing."""
    tell: Callable[[str, _Found | None], _Answer]
    """Makes the answer of that alone, or raises what is wrong with this question alone."""
    name: str

    def __call__(self, connection: Connection) -> _Answer:
        """Answer the question by itself."""
        return self.tell(self.name, self.find(connection, [self.name]).get(self.name))


class _Lookups:
    """What the questions of one snapshot have in common, looked up when the first of them comes to it."""

    def __init__(self, connection: Connection, questions: Sequence[Callable[[Connection], Any]]) -> None:
        self._connection = connection
        self._names: dict[Any, list[str]] = {}
        self._found: dict[Any, Mapping[str, Any]] = {}
        self._failures: dict[Any, Exception] = {}
        for question in questions:
            if isinstance(question, QuestionAbout):
                self._names.setdefault(question.find, []).append(question.name)

    def answer(self, question: Callable[[Connection], Any]) -> Any:
        """Return the answer, or raise what there is in place of one."""
        if not isinstance(question, QuestionAbout):
            return question(self._connection)
        if (failure := self.failure_of(question)) is not None:
            raise failure
        found = self._found.get(question.find)
        if found is None:
            found = self._found[question.find] = self._find(question.find)
        return question.tell(question.name, found.get(question.name))

    def failure_of(self, question: Callable[[Connection], Any]) -> Exception | None:
        """Return what the question's lookup has raised, for whichever of those who share it."""
        return self._failures.get(question.find) if isinstance(question, QuestionAbout) else None

    def _find(self, find: Callable[[Connection, Sequence[str]], Mapping[str, Any]]) -> Mapping[str, Any]:
        try:
            return find(self._connection, self._names[find])
        except Exception as error:
            self._failures[find] = error
            raise


@dataclass(frozen=True, eq=False, slots=True)
class _Asked:
    question: Callable[[Connection], Any]
    answer: asyncio.Future[Any]


class Snapshots:
    """Reads the database, in a bounded number of threads behind a bounded line."""

    def __init__(self, engine: Engine, metrics: ReaderMetrics, *, at_once: int, queued_max: int) -> None:
        self._engine = engine
        self._engine_for_one = engine.execution_options(**{_ONE_STATEMENT: True})
        self._metrics = metrics
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="read")
        self._reads: UnderWay[object] = UnderWay("oldest read")
        self._gathered: list[_Asked] = []
        self._answering: set[asyncio.Task[None]] = set()
        self._outstanding = 0
        self._outstanding_max = at_once + queued_max
        metrics.reads_outstanding.set_function(lambda: self._outstanding)

    def close(self) -> None:
        """Wait for the reads that are under way, and let no further one begin."""
        self._threads.shutdown(cancel_futures=True)

    async def read(self, question: Callable[[Connection], _Answer]) -> _Answer:
        """Return what `question` answers from one snapshot.

        Raises ReadsQueueFullError when too many stand in line, and SQLAlchemy's errors when the database is away.
        """
        if self._outstanding >= self._outstanding_max:
            self._metrics.reads_refused.inc()
            raise ReadsQueueFullError("too many requests stand in line for the database")
        began = time.perf_counter()
        asked = _Asked(question, asyncio.get_running_loop().create_future())
        self._gather(asked)
        self._outstanding += 1
        try:
            answer: _Answer = await asked.answer
        finally:
            self._outstanding -= 1
            self._metrics.read_seconds.observe(time.perf_counter() - began)
        return answer

    def read_here(self, question: Callable[[Connection], _Answer]) -> _Answer:
        """Return what `question` answers from one snapshot, in the calling thread.

        Connections are not tried out before they are used, which would cost a round trip each time. One that is found
        dead makes the pool give up all that are as old, and the question is asked once more, by a new one: what bounds
        the time of one attempt then bounds each of two.
        """
        return self._read(self._engine, question)

    def _read(self, engine: Engine, question: Callable[[Connection], _Answer]) -> _Answer:
        try:
            return self._read_once(engine, question)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        return self._read_once(engine, question)

    def _read_once(self, engine: Engine, question: Callable[[Connection], _Answer]) -> _Answer:
        with self._noted(), engine.begin() as connection:
            return question(connection)

    @contextmanager
    def _noted(self) -> Iterator[None]:
        """Let `under_way` know of a read for as long as it takes."""
        read = object()
        self._reads.begin(read)
        try:
            yield
        finally:
            self._reads.end(read)

    def under_way(self) -> dict[str, int]:
        """Return the number of the oldest read under way, by name, or nothing."""
        return self._reads.oldest()

    def _gather(self, asked: _Asked) -> None:
        """Let a question go with others that come by then."""
        self._gathered.append(asked)
        if len(self._gathered) == QUESTIONS_MAX:
            self._hand_over()
        elif len(self._gathered) == 1:
            delay_seconds = GATHER_SECONDS_MAX if self._answering else 0
            asyncio.get_running_loop().call_later(delay_seconds, self._hand_over)

    def _hand_over(self) -> None:
        gathered, self._gathered = self._gathered, []
        if gathered:
            answering = asyncio.create_task(self._answer(gathered))
            self._answering.add(answering)
            answering.add_done_callback(self._answered)

    def _answered(self, answering: asyncio.Task[None]) -> None:
        self._answering.discard(answering)
        self._hand_over()

    async def _answer(self, gathered: Sequence[_Asked]) -> None:
        """Answer all questions in one thread; those behind one that the database did not survive are asked again."""
        loop = asyncio.get_running_loop()
        while gathered:
            questions = [asked.question for asked in gathered]
            try:
                outcomes = await loop.run_in_executor(self._threads, self._outcomes_here, questions)
            except Exception as error:  # noqa: BLE001 - no thread can be started: nobody is to wait for one
                outcomes = [error] * len(gathered)
            again = []
            for asked, outcome in zip(gathered, outcomes, strict=True):
                if outcome is _ASK_AGAIN:
                    again.append(asked)
                elif asked.answer.done():
                    continue  # who asked has left
                elif isinstance(outcome, Exception):
                    asked.answer.set_exception(outcome)
                else:
                    asked.answer.set_result(outcome)
            gathered = again

    def _outcomes_here(self, questions: Sequence[Callable[[Connection], Any]]) -> list[Any]:
        """Return what the questions answer or raise, from one snapshot, or `_ASK_AGAIN` behind one that broke it.

        A connection that can't be had, or is lost, concerns them all; a lookup that fails, those who share it.
        """
        outcomes: list[Any] = []
        lookups: _Lookups | None = None

        def answer_all(connection: Connection) -> None:
            nonlocal lookups
            lookups = _Lookups(connection, questions)
            outcomes.clear()
            for question in questions:
                try:
                    outcomes.append(lookups.answer(question))
                except DBAPIError as error:
                    if error.connection_invalidated:
                        lookups = None  # with another connection all begins anew, if one can be had
                    raise
                except SQLAlchemyError:
                    raise
                except Exception as error:  # noqa: BLE001 - it is the answer, to who asked
                    outcomes.append(error)

        try:
            self._read(self._engine_for_one if _share_one_lookup(questions) else self._engine, answer_all)
        except Exception as error:  # noqa: BLE001 - likewise
            spoiled = isinstance(error, DBAPIError) and not error.connection_invalidated
            if lookups is None or not spoiled or len(outcomes) == len(questions):
                return [error] * len(questions)
            behind = questions[len(outcomes) + 1 :]
            return [*outcomes, error, *(lookups.failure_of(question) or _ASK_AGAIN for question in behind)]
        return outcomes


def _share_one_lookup(questions: Sequence[Callable[[Connection], Any]]) -> bool:
    """Return whether one statement answers all questions: it sees one state of the database without a transaction."""
    finds = {question.find if isinstance(question, QuestionAbout) else None for question in questions}
    return len(finds) == 1 and None not in finds
