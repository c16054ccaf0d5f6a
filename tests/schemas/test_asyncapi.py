"""schemas/asyncapi.json is an AsyncAPI document of every topic, and says of every record what its JSON Schema says."""

import copy
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from jsonschema import Draft7Validator

from schemas import asyncapi
from schemas.dead_letters import DeadLetter, Origin, to_record
from schemas.export import RECORD_TYPES
from schemas.topics import RECORDS, TOPICS, Topic
from tests.schemas.json_schemas import is_valid
from tests.schemas.test_examples import INVALID, VALID, name_of

DOCUMENT: Final = asyncapi.document()
LOG: Final = "campaignEvents"

Change = Callable[[dict[str, Any]], Any]


@cache
def official() -> Draft7Validator:
    """Return the validator that AsyncAPI itself publishes."""
    text = Path(__file__).with_name(f"asyncapi-{asyncapi.SPECIFICATION}.json").read_text(encoding="utf-8")
    return Draft7Validator(json.loads(text))


def test_document_is_one_of_asyncapi() -> None:
    """By the JSON Schema that AsyncAPI publishes, its bindings for Kafka included."""
    assert [error.message for error in official().iter_errors(DOCUMENT)] == []


WRONG: Final[dict[str, Change]] = {
    "no title": lambda document: document["info"].pop("title"),
    "another action": lambda document: document["operations"]["gatewaySendsCampaignEvents"].update(action="publish"),
    "an operation without a channel": lambda document: document["operations"]["gatewaySendsCampaignEvents"].pop(
        "channel"
    ),
    "a field that channels do not have": lambda document: document["channels"][LOG].update(topic="x"),
    "no partitions": lambda document: document["channels"][LOG]["bindings"]["kafka"].update(partitions=0),
    "a policy that Kafka does not know": lambda document: document["channels"][LOG]["bindings"]["kafka"][
        "topicConfiguration"
    ].update({"cleanup.policy": ["forget"]}),
    "a payload that is no schema": lambda document: document["components"]["schemas"]["Progress"].update(type="record"),
    "a message of no name": lambda document: document["components"]["messages"]["DeadLetter"].update(name=7),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_wrong_document_is_noticed(change: Change) -> None:
    """The official schema refuses it: the test above can fail."""
    document = copy.deepcopy(DOCUMENT)
    change(document)
    assert not official().is_valid(document)


def test_document_in_the_repository_is_that_of_the_structs(capsys: pytest.CaptureFixture[str]) -> None:
    """Run `python -m schemas.asyncapi` after a change of topics, structs or examples."""
    assert asyncapi.main(["--check"]) == 0, capsys.readouterr().err


def test_difference_is_shown_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An edited or missing document is found, the words say what to run, and writing settles the matter."""
    path = tmp_path / "asyncapi.json"
    assert asyncapi.main(["--check"], path) == 1
    assert not path.exists()
    assert asyncapi.main([], path) == 0
    path.write_text(path.read_text(encoding="utf-8").replace('"partitions": 24', '"partitions": 12'), encoding="utf-8")
    capsys.readouterr()
    assert asyncapi.main(["--check"], path) == 1
    said = capsys.readouterr().err
    assert '-          "partitions": 12' in said
    assert "Run python -m schemas.asyncapi" in said
    assert asyncapi.main([], path) == 0
    assert asyncapi.main(["--check"], path) == 0


def resolved(reference: str) -> Any:
    node: Any = DOCUMENT
    for name in reference.removeprefix("#/").split("/"):
        node = node[name]
    return node


def references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [found for item in node for found in references(item)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
    return own + [found for value in node.values() for found in references(value)]


def test_document_stands_for_itself() -> None:
    """Every reference leads to a place in it."""
    found = references(DOCUMENT)
    assert found
    assert all(resolved(reference) for reference in found)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_topic_is_a_channel_with_its_messages(topic: Topic) -> None:
    """With its configuration, its key, and an operation of each process that writes or reads it."""
    [(channel_id, channel)] = [one for one in DOCUMENT["channels"].items() if one[1]["address"] == topic.name]
    assert topic.key in channel["description"]
    assert set(channel["bindings"]["kafka"]["topicConfiguration"]) == set(topic.config)
    messages = [resolved(message["$ref"]) for message in channel["messages"].values()]
    assert [message["name"] for message in messages] == list(RECORDS[topic.name] or ["DeadLetter"])
    assert [message["name"] for message in messages if "bindings" not in message] == [
        record for record in RECORDS[topic.name] if record == "cercles.progress"
    ]
    told = {
        (operation["action"], operation["tags"][0]["name"])
        for operation in DOCUMENT["operations"].values()
        if operation["channel"]["$ref"] == f"#/channels/{channel_id}"
    }
    wanted = {("send", process) for process in topic.written_by} | {("receive", process) for process in topic.read_by}
    assert told == wanted - {("receive", "subscribers")}


def test_only_the_clock_closes() -> None:
    """And closing is all that it sends."""
    said = {
        process: {
            resolved(one["$ref"])["$ref"].rpartition("/")[2]
            for one in DOCUMENT["operations"][f"{process}SendsCampaignEvents"]["messages"]
        }
        for process in ("clock", "gateway")
    }
    assert said["clock"] == {"CampaignClosed"}
    assert "CampaignClosed" not in said["gateway"]


@pytest.mark.parametrize("type_name", RECORD_TYPES)
def test_every_record_is_a_message_with_all_its_valid_examples(type_name: str) -> None:
    """Each named as its file is."""
    message = DOCUMENT["components"]["messages"][RECORD_TYPES[type_name].__name__]
    assert message["name"] == type_name
    assert [f"valid-{example['name']}" for example in message["examples"]] == [
        path.stem for path in VALID if path.parent.name == type_name
    ]


@cache
def payload(type_name: str) -> Draft7Validator:
    schema = {"$ref": f"#/components/schemas/{RECORD_TYPES[type_name].__name__}", "components": DOCUMENT["components"]}
    Draft7Validator.check_schema(schema)
    return Draft7Validator(schema)


@pytest.mark.parametrize("path", [*VALID, *INVALID], ids=name_of)
def test_payload_says_what_the_json_schema_says(path: Path) -> None:
    """In the older dialect, too, each example is as valid or as invalid."""
    record = json.loads(path.read_bytes())
    assert payload(path.parent.name).is_valid(record) == is_valid(path.parent.name, record)


def test_headers_of_a_dead_letter_are_those_that_are_written() -> None:
    """All that may be there, and those that always are."""
    schema = DOCUMENT["components"]["messages"]["DeadLetter"]["headers"]
    whole = DeadLetter(
        reason="r",
        detail="d",
        key=None,
        value=None,
        origin=Origin("t", 0, 1),
        campaign_id="c",
        event_id="e",
        value_sha256="00",
    )
    bare = DeadLetter(reason="r", detail="d", key=None, value=None)
    assert {name for name, _ in to_record(whole)[2]} == set(schema["properties"])
    assert [name for name, _ in to_record(bare)[2]] == schema["required"]
