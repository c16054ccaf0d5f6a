"""Write docs/topics.md, a page for each topic: `python -m schemas.topics_page`, or with `--check` compare only.

Everything on it comes from `schemas.topics`, the structs, and the schema and example files beside them; what is said of
a record is the first sentence of its docstring.
"""

import argparse
import difflib
import inspect
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from schemas import dead_letters, updates
from schemas.events import EVENT_TYPES
from schemas.export import RECORD_TYPES, SUFFIX
from schemas.topics import DEAD_LETTERS, LOG, PARTITIONS_DEFAULT, PARTITIONS_EMBEDDED, TOPICS, UPDATES, Topic

ROOT: Final = Path(__file__).parent.parent
PAGE: Final = ROOT / "docs" / "topics.md"

FOLDERS: Final = {
    "gateway": "producers",
    "clock": "producers",
    "worker": "stream_processors",
    "sink": "sinks",
    "exporter": "sinks",
    "reader": "readers",
}
"""The folder of each process. A topic belongs to the folder of the process that its declaration names first."""

RECORDS: Final[dict[str, tuple[str, ...]]] = {
    LOG.name: tuple(EVENT_TYPES),
    UPDATES.name: ("cercles.update", "cercles.progress"),
    DEAD_LETTERS.name: (),
}
"""The types of record on each topic."""

HEAD: Final = f"""\
# Topics

Folders meet here. This page is written by `python -m schemas.topics_page` from
[schemas/topics.py](../schemas/topics.py) and the files beside it; a check keeps it so.

A campaign has the same partition in every topic, so a partition's story, what was said of it, and what was refused of
it can be compared. Every topic has the same number of partitions, {PARTITIONS_DEFAULT} unless told otherwise
({PARTITIONS_EMBEDDED} embedded), and that number never changes. `cercles topics` makes the topics as declared here.
"""

DEAD_LETTER_WORDS: Final = f"""\
The refused record as it was: its key, its value (of one over {dead_letters.VALUE_BYTES_MAX // 1024} KiB the SHA-256)
and its headers. The headers that begin with `cercles-` say why it stands here, and where it stood:
[schemas/dead_letters.py](../schemas/dead_letters.py).
"""

RECORD_BYTES_WORDS: Final = f"No record exceeds {updates.RECORD_BYTES_MAX // 1024} KiB: a larger update is cut.\n"


def page() -> str:
    """Return the whole page, as Markdown."""
    return "\n".join([HEAD, *(_section(topic) for topic in TOPICS)])


def _section(topic: Topic) -> str:
    facts = {
        "holds": topic.holds,
        "key": topic.key,
        "owner": f"`{_owner(topic)}/`",
        "producers": _processes(topic.written_by),
        "consumers": _processes(topic.read_by),
        "configuration": "<br>".join(f"`{name}={value}`" for name, value in topic.config.items()),
    }
    rows = [f"| {name} | {fact} |" for name, fact in facts.items()]
    lines = [f"## {topic.name}", "", "| | |", "|---|---|", *rows, ""]
    if topic is DEAD_LETTERS:
        lines.append(DEAD_LETTER_WORDS)
    if topic is UPDATES:
        lines.append(RECORD_BYTES_WORDS)
    if RECORDS[topic.name]:
        lines += ["| record | says | valid examples |", "|---|---|---|", *map(_row, RECORDS[topic.name]), ""]
    return "\n".join(lines)


def _owner(topic: Topic) -> str:
    return FOLDERS[topic.written_by[0]]


def _processes(names: Iterable[str]) -> str:
    return ", ".join(f"{name} (`{FOLDERS[name]}/`)" if name in FOLDERS else name for name in names)


def _row(record: str) -> str:
    examples = sorted((ROOT / "schemas" / "examples" / record).glob("valid-*.json"))
    links = ", ".join(
        f"[{path.stem.removeprefix('valid-').replace('-', ' ')}](../schemas/examples/{record}/{path.name})"
        for path in examples
    )
    return f"| [{record}](../schemas/json/{record}{SUFFIX}) | {_first_sentence(RECORD_TYPES[record])} | {links} |"


def _first_sentence(struct: type[msgspec.Struct]) -> str:
    """Return what is said of a record: of an event, what is said of its data."""
    fields = {field.name: field.type for field in msgspec.structs.fields(struct)}
    about = fields.get("data", struct)
    return " ".join(inspect.cleandoc(about.__doc__ or "").split("\n\n")[0].split()).partition(". ")[0].rstrip(".")


def main(arguments: Sequence[str] | None = None, path: Path = PAGE) -> int:
    """Write the page, or compare it; return 1 when the check finds a difference."""
    parser = argparse.ArgumentParser(prog="python -m schemas.topics_page", description="Write docs/topics.md.")
    parser.add_argument("--check", action="store_true", help="write nothing; print what would change and fail if any")
    wanted = page()
    if not parser.parse_args(arguments).check:
        path.write_text(wanted, encoding="utf-8")
        return 0
    found = path.read_text(encoding="utf-8") if path.exists() else ""
    difference = list(
        difflib.unified_diff(
            found.splitlines(keepends=True), wanted.splitlines(keepends=True), "docs/topics.md", "the declarations"
        )
    )
    sys.stderr.writelines(difference)
    if difference:
        sys.stderr.write("docs/topics.md is not what schemas/ says: run python -m schemas.topics_page\n")
    return 1 if difference else 0


if __name__ == "__main__":
    sys.exit(main())
