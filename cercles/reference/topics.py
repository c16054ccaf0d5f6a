"""The page of the topics: who owns, writes and reads each, what is on it, and examples.

Everything on it comes from `schemas.topics`, the structs, and the schema and example files beside them; what is said of
a record is the first sentence of its docstring.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from schemas import dead_letters, updates
from schemas.asyncapi import first_sentence
from schemas.export import RECORD_TYPES, SUFFIX
from schemas.topics import DEAD_LETTERS, PARTITIONS_DEFAULT, PARTITIONS_EMBEDDED, RECORDS, TOPICS, UPDATES, Topic

EXAMPLES: Final = Path(__file__).parents[2] / "schemas" / "examples"

FOLDERS: Final = {
    "gateway": "producers",
    "clock": "producers",
    "worker": "stream_processors",
    "resolver": "stream_processors",
    "sink": "sinks",
    "exporter": "sinks",
    "reader": "readers",
}
"""The folder of each process. A topic belongs to the folder of the process that its declaration names first."""

HEAD: Final = f"""\
# Topics

Folders meet here. This page is written by `python -m cercles.reference` from
[schemas/topics.py](../../schemas/topics.py) and the files beside it; a check keeps it so. For tools the same stands in
[schemas/asyncapi.json](../../schemas/asyncapi.json), an AsyncAPI 3 document with every payload in full; for people
every field stands on the page of the [events](events.md).

A campaign has the same partition in every topic that is keyed by campaign, so a partition's story, what was said of it,
and what was refused of it can be compared. Every topic has the same number of partitions, {PARTITIONS_DEFAULT} unless
told otherwise ({PARTITIONS_EMBEDDED} embedded), and that number never changes. `cercles topics` makes the topics as
declared here.
"""

DEAD_LETTER_WORDS: Final = f"""\
The refused record as it was: its key, its value (of one over {dead_letters.VALUE_BYTES_MAX // 1024} KiB the SHA-256)
and its headers. The headers that begin with `cercles-` say why it stands here, and where it stood:
[schemas/dead_letters.py](../../schemas/dead_letters.py).
"""

UPDATES_WORDS: Final = f"""\
No record exceeds {updates.RECORD_BYTES_MAX // 1024} KiB: a larger update is cut. Entries and pledges are rows: arrays,
of which the schema names every place (`title`).
"""


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
        lines.append(UPDATES_WORDS)
    if RECORDS[topic.name]:
        lines += ["| record | says | valid examples |", "|---|---|---|", *map(_row, RECORDS[topic.name]), ""]
    return "\n".join(lines)


def _owner(topic: Topic) -> str:
    return FOLDERS[topic.written_by[0]]


def _processes(names: Iterable[str]) -> str:
    return ", ".join(f"{name} (`{FOLDERS[name]}/`)" if name in FOLDERS else name for name in names)


def _row(record: str) -> str:
    examples = sorted((EXAMPLES / record).glob("valid-*.json"))
    links = ", ".join(
        f"[{path.stem.removeprefix('valid-').replace('-', ' ')}](../../schemas/examples/{record}/{path.name})"
        for path in examples
    )
    return f"| [{record}](../../schemas/json/{record}{SUFFIX}) | {first_sentence(RECORD_TYPES[record])} | {links} |"
