"""What the panel is drawn with: bars in eighths of a cell, a word below a place of a bar, and words that flow."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.text import Text

_EIGHTHS: Final = "·▏▎▍▌▋▊▉█"
_EMPTY_STYLE: Final = "bright_black"


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of `part` in `whole`, as wide as there is room, with a mark at `mark` if given."""

    part: int
    whole: int
    style: str
    mark: int | None = None
    mark_style: str = "bold yellow"
    beyond_style: str = "bold green"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it in eighths of a cell; where only ASCII can be shown, in whole cells."""
        cells = [self._cell(column, options) for column in range(options.max_width)]
        for style, run in groupby(cells, key=lambda cell: cell[1]):
            yield Segment("".join(sign for sign, _ in run), console.get_style(style))
        yield Segment.line()

    def _cell(self, column: int, options: ConsoleOptions) -> tuple[str, str]:
        width = options.max_width
        marked = None if self.mark is None else min(width - 1, self.mark * width // self.whole)
        if column == marked:
            return "|" if options.ascii_only else "┃", self.mark_style
        eighths = max(0, min(8, self.part * width * 8 // self.whole - column * 8))
        if options.ascii_only:
            eighths = 8 if eighths else 0
        sign = ".#"[eighths > 0] if options.ascii_only else _EIGHTHS[eighths]
        if eighths == 0:
            return sign, _EMPTY_STYLE
        return sign, self.style if marked is None or column < marked else self.beyond_style


@dataclass(frozen=True, slots=True)
class Below:
    """A line with words on its left, and a word whose middle stands below a place of the bar above it."""

    left: Text
    word: Text
    place: int
    whole: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = cell_len(self.word.plain)
        middle = self.place * options.max_width // self.whole
        start = max(cell_len(self.left.plain) + 1, min(options.max_width - width, middle - width // 2))
        yield Text.assemble(self.left, " " * (start - cell_len(self.left.plain)), self.word)


@dataclass(frozen=True, slots=True)
class Flow:
    """Pieces of text side by side, on as many lines as they need; no piece is broken."""

    pieces: Sequence[Text]
    gap: str = "   "

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        line = Text(no_wrap=True)
        for piece in self.pieces:
            if line and cell_len(line.plain + self.gap + piece.plain) > options.max_width:
                yield line
                line = Text(no_wrap=True)
            line.append(self.gap if line else "").append_text(piece)
        yield line
