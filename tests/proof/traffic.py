"""Events that keep coming while a command works."""

import threading

from sqlalchemy import Engine, select

from schemas.tables import sink_positions
from schemas.topics import DEAD_LETTERS, UPDATES
from tests.proof.stage import PARTITIONS, Stage, many_stories

PAUSE_SECONDS = 0.05
STOP_SECONDS_MAX = 60.0


class Traffic:
    """Appends events and folds them, in a thread of its own, until it is told to stop."""

    def __init__(self, bootstrap: str, *, rounds_max: int = 200) -> None:
        self._stage = Stage(bootstrap)
        self.rounds = 0
        self._rounds_max = rounds_max
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic")
        self._thread.start()

    def _run(self) -> None:
        while self.rounds < self._rounds_max and not self._stop.wait(PAUSE_SECONDS):
            self.rounds += 1
            records = many_stories(6, 20 + self.rounds, seed=self.rounds)
            self._stage.append(records[: 200 * self.rounds])
            self._stage.work()

    def stop(self) -> None:
        """Let everything that was appended be folded, and end."""
        self._stop.set()
        self._thread.join(STOP_SECONDS_MAX)

    def close(self) -> None:
        """Stop, and disconnect."""
        self.stop()
        self._stage.__exit__()


def sink_is_at_the_end(stage: Stage, engine: Engine) -> bool:
    """Whether the database's sink has read all that there is."""
    columns = sink_positions.c
    with engine.connect() as connection:
        rows = connection.execute(select(columns.topic, columns.partition_number, columns.next_offset)).all()
    ends = {(topic.name, one): stage.end(topic, one) for topic in (UPDATES, DEAD_LETTERS) for one in PARTITIONS}
    return {(topic, partition): next_offset for topic, partition, next_offset in rows} == ends
