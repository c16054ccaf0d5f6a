"""Whether a process gets on: what each one notes of its work, and whoever runs it looks at."""

from collections.abc import Mapping


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
