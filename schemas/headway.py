"""Whether a process gets on: what each one notes of its work, and whoever runs it looks at."""

import threading
from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

_Thing = TypeVar("_Thing", bound=Hashable)


class Headway:
    """Counts how often nothing that is to be done stood where it stood before.

    A process notes what waits each time that it has done something, or has just seen what there is to do; from one
    thread, and from the very one that would do the work, or that would notice were it not done. The count then stands
    still when that thread hangs, and when anything waits for ever, however much else is done meanwhile.
    """

    def __init__(self) -> None:
        self.made = 0
        """A number that changes as long as the process does what it should. Any thread may read it."""
        self.standing: dict[str, int] = {}
        """What was found not to have moved by the last note, and where it stands. Any thread may read it."""
        self._waiting: dict[str, int] = {}

    def note(self, waiting: Mapping[str, int]) -> None:
        """Note all that waits now, by name, each with a number that changes when it moves; nothing: all is done."""
        self.standing = dict(waiting.items() & self._waiting.items())
        if not self.standing:
            self._waiting = dict(waiting)
            self.made += 1


class UnderWay(Generic[_Thing]):
    """Numbers things as they begin, and tells which of those that have not ended is the oldest. For any thread.

    That number stands still when one of them never ends, however many others do meanwhile.
    """

    def __init__(self, name_of_oldest: str) -> None:
        self._name_of_oldest = name_of_oldest
        self._lock = threading.Lock()
        self._begun = 0
        self._numbers: dict[_Thing, int] = {}

    def begin(self, thing: _Thing) -> None:
        """Note that something has begun."""
        with self._lock:
            self._begun += 1
            self._numbers[thing] = self._begun

    def end(self, thing: _Thing) -> None:
        """Note that something has ended, well or not."""
        with self._lock:
            del self._numbers[thing]

    def things(self) -> list[_Thing]:
        """Return what is under way, the oldest first."""
        with self._lock:
            return list(self._numbers)

    def oldest(self) -> dict[str, int]:
        """Return the number of the oldest by its name, as `Headway.note` takes it; nothing when none is under way."""
        with self._lock:
            number = next(iter(self._numbers.values()), None)
        return {} if number is None else {self._name_of_oldest: number}
