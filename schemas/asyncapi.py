"""Write schemas/asyncapi.json, the contract of the topics: `python -m schemas.asyncapi`; with `--check` compare only.

An AsyncAPI 3.0 document, made from `schemas.topics`, the structs and the examples. It stands for itself: payloads are
AsyncAPI's own Schema Objects (JSON Schema draft-07 with extensions; specification 3.0.0, "Schema Object"), since its
tools read no other dialect. They say what the files in `schemas/json` say in draft 2020-12; a test compares.
"""

import inspect
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas.dead_letters import HEADERS, HEADERS_ALWAYS
from schemas.events import CONTENT_TYPE, EVENT_TYPES
from schemas.export import DIRECTORY, RECORD_TYPES, components
from schemas.generated import settle
from schemas.payments import PAYMENT_TYPES
from schemas.topics import DEAD_LETTERS, PARTITIONS_DEFAULT, RECORDS, TOPICS, Topic

PATH: Final = Path(__file__).parent / "asyncapi.json"
EXAMPLES: Final = Path(__file__).parent / "examples"
SPECIFICATION: Final = "3.0.0"
KAFKA_BINDINGS: Final = "0.5.0"
"""Versions of AsyncAPI and of its bindings for Kafka that the document conforms to."""

DEAD_LETTER: Final = "DeadLetter"
WRITES_ONLY: Final = {
    "clock": frozenset({"cercles.campaign.closed"}),
    "resolver": frozenset({"cercles.pledge.refunded", "cercles.pledge.disputed", DEAD_LETTER}),
}
"""What a process writes that does not write everything that its topics hold."""

WRITTEN_ONLY_BY: Final = {"cercles.campaign.closed": "clock"}
"""The types that are one process's: no other process writes them."""

WITHOUT_KEY: Final = frozenset({"cercles.progress"})

_SCHEMAS: Final = "#/components/schemas/"
_MESSAGES: Final = "#/components/messages/"
_ABOUT: Final = (
    "The topics in which the parts of Cercles meet, and which other services may follow. A campaign has the same "
    "partition in every topic that is keyed by campaign. Delivery is at least once: what is said again has the same "
    "ids and positions. "
    "Processes: the gateway, the clock, the resolver, the worker, the sink."
)


def document() -> dict[str, Any]:
    """Return the whole document."""
    return {
        "asyncapi": SPECIFICATION,
        "info": {
            "title": "Cercles",
            "version": f"{_released()}.0.0",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {_channel_id(topic): _channel(topic) for topic in TOPICS},
        "operations": dict(operation for topic in TOPICS for operation in _operations(topic)),
        "components": {
            "messages": dict(message for topic in TOPICS for message in _messages(topic)),
            "schemas": _draft_07(components(list(RECORD_TYPES.values()), _SCHEMAS + "{name}")),
        },
    }


def _released() -> int:
    """Return the number of the newest released schemas: what follows it is compatible with it."""
    return max(int(path.name) for path in (DIRECTORY / "released").iterdir())


def _channel_id(topic: Topic) -> str:
    """Return `campaignEvents` for `cercles.campaign-events`."""
    return re.sub(r"-(\w)", lambda found: found[1].upper(), topic.name.removeprefix("cercles."))


def _channel(topic: Topic) -> dict[str, Any]:
    return {
        "address": topic.name,
        "description": f"{_capital(topic.holds)}. Key: {topic.key}.",
        "messages": {name: {"$ref": _MESSAGES + name} for name, _ in _messages(topic)},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": PARTITIONS_DEFAULT,
                "topicConfiguration": {name: _value(name, value) for name, value in topic.config.items()},
                "bindingVersion": KAFKA_BINDINGS,
            }
        },
    }


def _value(name: str, value: str) -> list[str] | int | bool:
    """Return a topic's setting in the form that the bindings for Kafka want."""
    if name == "cleanup.policy":
        return value.split(",")
    return value == "true" if value in ("true", "false") else int(value)


def _operations(topic: Topic) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return who sends and who receives what; followers outside Cercles are no operation of its own."""
    channel = "#/channels/" + _channel_id(topic)
    for action, processes in (("send", topic.written_by), ("receive", topic.read_by)):
        for process in processes:
            if process == "subscribers":
                continue
            operation_id = f"{process}{action.capitalize()}s{_capital(_channel_id(topic))}"
            yield (
                operation_id,
                {
                    "action": action,
                    "channel": {"$ref": channel},
                    "summary": f"The {process} {action}s what stands in {topic.name}",
                    "tags": [{"name": process}],
                    "messages": [
                        {"$ref": f"{channel}/messages/{name}"}
                        for name, message in _messages(topic)
                        if action == "receive" or _writes(process, message["name"])
                    ],
                },
            )


def _writes(process: str, record: str) -> bool:
    if process in WRITES_ONLY:
        return record in WRITES_ONLY[process]
    return WRITTEN_ONLY_BY.get(record, process) == process


def _messages(topic: Topic) -> Iterator[tuple[str, dict[str, Any]]]:
    if topic is DEAD_LETTERS:
        yield DEAD_LETTER, _dead_letter()
    for record in RECORDS[topic.name]:
        yield RECORD_TYPES[record].__name__, _message(record, topic)


def _message(record: str, topic: Topic) -> dict[str, Any]:
    struct = RECORD_TYPES[record]
    message: dict[str, Any] = {
        "name": record,
        "summary": first_sentence(struct) + ".",
        "contentType": CONTENT_TYPE if record in EVENT_TYPES or record in PAYMENT_TYPES else "application/json",
        "payload": {"$ref": _SCHEMAS + struct.__name__},
        "examples": [
            {"name": path.stem.removeprefix("valid-"), "payload": json.loads(path.read_bytes())}
            for path in sorted((EXAMPLES / record).glob("valid-*.json"))
        ],
    }
    if record not in WITHOUT_KEY:
        key = {"type": "string", "description": _capital(topic.key.partition(";")[0])}
        message["bindings"] = {"kafka": {"key": key, "bindingVersion": KAFKA_BINDINGS}}
    return message


def _dead_letter() -> dict[str, Any]:
    return {
        "name": DEAD_LETTER,
        "summary": "A record that was refused, whole, with headers that say why and where it stood.",
        "contentType": "application/octet-stream",
        "headers": {
            "type": "object",
            "description": "Beside the refused record's own headers.",
            "properties": {
                name: {"type": "string", "description": description} for name, description in HEADERS.items()
            },
            "required": list(HEADERS_ALWAYS),
        },
        "payload": {"description": "The refused record's value, byte for byte, whatever it was."},
        "bindings": {
            "kafka": {
                "key": {"description": "The refused record's key, byte for byte; none if it had none"},
                "bindingVersion": KAFKA_BINDINGS,
            }
        },
    }


def first_sentence(struct: type[msgspec.Struct]) -> str:
    """Return what is said of a record, without the full stop: of an event, what is said of its data."""
    fields = {field.name: field.type for field in msgspec.structs.fields(struct)}
    about = fields.get("data", struct)
    return " ".join(inspect.cleandoc(about.__doc__ or "").split("\n\n")[0].split()).partition(". ")[0].rstrip(".")


def _draft_07(node: Any) -> Any:
    """Return the schema in draft-07, where a tuple's parts stand in `items`."""
    if isinstance(node, list):
        return [_draft_07(item) for item in node]
    if not isinstance(node, dict):
        return node
    old = {name: _draft_07(value) for name, value in node.items()}
    if "prefixItems" in old:
        old["items"] = old.pop("prefixItems")
    return old


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def main(arguments: Sequence[str] | None = None, path: Path = PATH) -> int:
    """Write the document, or compare it; return 1 when the check finds a difference."""
    text = json.dumps(document(), indent=2, ensure_ascii=False) + "\n"
    return settle({path: text}, "python -m schemas.asyncapi", arguments)


if __name__ == "__main__":
    sys.exit(main())
