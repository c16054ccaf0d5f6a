"""What our own doors refuse: each row of the table, over HTTP, with a problem that says what and where."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.gateway import knocking
from tests.gateway.conftest import RunningGateway
from tests.gateway.knocking import CAMPAIGN, captured, instant, send

EVENT_BYTES_MAX = 64 * 1024
BATCH_BYTES_MAX = 1024 * 1024


def refused(answer: httpx.Response, status: int, gateway: RunningGateway) -> dict[str, Any]:
    """Check that it is a problem of that status, and that nothing was accepted; return the problem."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem["detail"]
    assert gateway.log.records == []
    return problem


def having(field: str, value: object) -> dict[str, Any]:
    event = captured()
    event["data"][field] = value
    return event


def text_of(**changes: Any) -> str:
    return json.dumps(captured(**changes))


class TestUnverified:
    """401: who can't show who they are learns nothing more."""

    @pytest.mark.parametrize("missing", ["webhook-id", "webhook-timestamp", "webhook-signature"])
    def test_a_missing_header(self, client: httpx.Client, gateway: RunningGateway, missing: str) -> None:
        """Each header of the scheme is needed."""
        body = text_of().encode()
        headers = knocking.source_headers(body)
        del headers[missing]
        answer = client.post(f"/v1/sources/{knocking.SOURCE}/events", content=body, headers=headers)
        refused(answer, 401, gateway)
        assert answer.headers["www-authenticate"]

    @pytest.mark.parametrize(
        "signature",
        [
            "v1," + "A" * 43 + "=",
            "",
            "v1",
            "v1,",
            "v1,====",
            "v1,%",
            "v2," + "A" * 43 + "=",
            ",,,",
            "v1,a,b",
            "a b c d",
            "v1," + "A" * 5000,
        ],
    )
    def test_a_wrong_or_garbled_signature(self, client: httpx.Client, gateway: RunningGateway, signature: str) -> None:
        """However it is garbled, the answer is the same."""
        refused(send(client, captured(), headers={"webhook-signature": signature}), 401, gateway)

    @pytest.mark.parametrize("timestamp", ["", "soon", "-1", "1e9", "nan", "inf", "1_0", "9" * 400, "1.5", "0x10"])
    def test_a_garbled_time(self, client: httpx.Client, gateway: RunningGateway, timestamp: str) -> None:
        """Only whole seconds are a time."""
        refused(send(client, captured(), headers={"webhook-timestamp": timestamp}), 401, gateway)

    @pytest.mark.parametrize("seconds", [-310, 310])
    def test_a_time_outside_the_tolerance(self, client: httpx.Client, gateway: RunningGateway, seconds: int) -> None:
        """300 s to both sides: what is signed for the future could be kept and sent later."""
        refused(send(client, captured(), seconds_from_now=seconds), 401, gateway)

    def test_another_body_than_was_signed(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """One byte changed is another body."""
        body = text_of().encode()
        headers = knocking.source_headers(body)
        answer = client.post(f"/v1/sources/{knocking.SOURCE}/events", content=body + b" ", headers=headers)
        refused(answer, 401, gateway)

    def test_two_signature_headers(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """Which of them would count is not for us to choose."""
        body = text_of().encode()
        headers = [*knocking.source_headers(body).items(), ("webhook-signature", "v1,x")]
        refused(client.post(f"/v1/sources/{knocking.SOURCE}/events", content=body, headers=headers), 401, gateway)

    def test_an_unknown_source_is_answered_like_a_wrong_signature(
        self, client: httpx.Client, gateway: RunningGateway
    ) -> None:
        """Nobody finds out which sources there are."""
        unknown = refused(send(client, captured(), source="nobody"), 401, gateway)
        wrong = refused(send(client, captured(), secret=knocking.SOURCE_SECRET_OF_ANOTHER), 401, gateway)
        assert unknown == wrong


def launching(client: httpx.Client, body: bytes) -> httpx.Response:
    headers = knocking.admin_headers() | {"content-type": "application/json"}
    return client.put(f"/v1/campaigns/{CAMPAIGN}", content=body, headers=headers)


def amending(client: httpx.Client, body: bytes) -> httpx.Response:
    headers = knocking.admin_headers() | {"content-type": "application/json"}
    return client.post(f"/v1/campaigns/{CAMPAIGN}/amendments", content=body, headers=headers)


def minting(client: httpx.Client, body: bytes) -> httpx.Response:
    headers = knocking.admin_headers() | {"content-type": "application/json"}
    return client.post(f"/v1/campaigns/{CAMPAIGN}/shares", content=body, headers=headers)


Telling = Callable[[httpx.Client, bytes], httpx.Response]
DOORS: list[tuple[Telling, dict[str, Any]]] = [
    (send, captured()),
    (launching, knocking.launch()),
    (amending, {"revision": 1, "goal_minor": 1_600_000}),
    (minting, {"sharer_id": "sharer-1", "network": "mail"}),
]
"""Every door that takes our own JSON, with what it takes."""

NESTINGS = [(b"[", b"]"), (b'{"a":', b"}")]

every_door = pytest.mark.parametrize(("tell", "taken"), DOORS, ids=["events", "launch", "amend", "share"])


class TestNotJson:
    """400: a body of whoever may send one that is not JSON, or not the JSON that means one thing only."""

    @every_door
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"\xff\xfe{}",
            b'{"id":"\xc3"}',
            b"{",
            b"not json",
            b"{'a': 1}",
            b'{"a": 1,}',
            b'{"a": 01}',
            b'{"a": 1} {"b": 2}',
            b"\xef\xbb\xbf{}",
            b'{"a": "\x01"}',
            b'{"a": NaN}',
            b'{"a": Infinity}',
            b'{"a": -Infinity}',
            b'{"a": "\\ud800"}',
            b'{"a": "\\udc00\\ud800"}',
            b'{"\\ud800": 1}',
            b'{"a": ' + b"9" * 5000 + b"}",
        ],
    )
    def test_not_json(
        self, client: httpx.Client, gateway: RunningGateway, tell: Telling, taken: dict[str, Any], body: bytes
    ) -> None:
        """Not UTF-8, not JSON, NaN and Infinity, lone surrogates."""
        assert tell(client, json.dumps(taken).encode()).status_code == 202
        gateway.log.reset()
        assert refused(tell(client, body), 400, gateway)["reason"] == "not_json"

    @every_door
    @pytest.mark.parametrize(
        "deep",
        [opening * levels + b"1" + closing * levels for opening, closing in NESTINGS for levels in (32, 4_999)],
        ids=["32 lists", "4,999 lists", "32 objects", "4,999 objects"],
    )
    def test_too_deep(
        self, client: httpx.Client, gateway: RunningGateway, tell: Telling, taken: dict[str, Any], deep: bytes
    ) -> None:
        """More than 32 levels, however many, in what nobody reads too."""
        body = json.dumps(taken).encode()[:-1] + b', "extension": ' + deep + b"}"
        refused(tell(client, body), 400, gateway)

    def test_32_levels_are_not_too_deep(self, client: httpx.Client) -> None:
        """The bound itself is allowed."""
        body = text_of().encode()[:-1] + b', "extension": ' + b"[" * 31 + b"]" * 31 + b"}"
        assert send(client, body).status_code == 202

    def test_brackets_in_texts_are_no_levels(self, client: httpx.Client) -> None:
        """Depth is of values, not of characters."""
        assert send(client, captured() | {"subject": "[" * 100}).status_code == 202

    @every_door
    def test_a_name_twice(
        self, client: httpx.Client, gateway: RunningGateway, tell: Telling, taken: dict[str, Any]
    ) -> None:
        """Two amounts under one name would leave the choice to us: neither is taken."""
        *_, (name, value) = taken.items()
        body = json.dumps(taken)[:-1] + f", {json.dumps(name)}: {json.dumps(value)}}}"
        assert "twice" in refused(tell(client, body.encode()), 400, gateway)["detail"]

    def test_an_amount_twice(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """However deep it stands."""
        body = text_of().replace('"amount_minor": 1000', '"amount_minor": 1000, "amount_minor": 999').encode()
        assert "twice" in refused(send(client, body), 400, gateway)["detail"]

    def test_in_a_batch(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """One name twice in one event refuses them all."""
        body = b"[" + text_of().encode() + b"," + b'{"a":1,"a":2}' + b"]"
        refused(send(client, body, content_type=knocking.BATCH), 400, gateway)


class TestTooLarge:
    """413, with what the door takes. That it happens while reading is in test_transport.py."""

    def test_one_event(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """64 KiB for one event."""
        body = text_of().encode()
        fits = body + b" " * (EVENT_BYTES_MAX - len(body))
        assert send(client, fits).status_code == 202
        gateway.log.reset()
        problem = refused(send(client, fits + b" "), 413, gateway)
        assert str(EVENT_BYTES_MAX) in problem["detail"]

    def test_a_batch(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """1 MiB for a batch."""
        body = b"[" + text_of().encode() + b"]"
        fits = body + b" " * (BATCH_BYTES_MAX - len(body))
        assert send(client, fits, content_type=knocking.BATCH).status_code == 202
        gateway.log.reset()
        refused(send(client, fits + b" ", content_type=knocking.BATCH), 413, gateway)

    def test_one_event_of_a_batch(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """An event does not become smaller by being sent with others."""
        batch = [captured(1), captured(2) | {"extension": "x" * EVENT_BYTES_MAX}]
        assert refused(send(client, batch), 413, gateway)["pointer"] == "/1"


class TestWrongContentType:
    """415: what the body is must be said, and be one of two things."""

    @pytest.mark.parametrize(
        "content_type",
        [
            "application/json",
            "text/plain",
            "",
            "application/cloudevents+xml",
            "cloudevents",
            f"{knocking.EVENT}; charset=latin-1",
        ],
    )
    def test_wrong_type(self, client: httpx.Client, gateway: RunningGateway, content_type: str) -> None:
        """Only the two types of structured CloudEvents in JSON, in UTF-8."""
        refused(send(client, captured(), content_type=content_type), 415, gateway)

    @pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip", "x"])
    def test_encoded(self, client: httpx.Client, gateway: RunningGateway, encoding: str) -> None:
        """A compressed body could be of any size."""
        refused(send(client, captured(), headers={"content-encoding": encoding}), 415, gateway)

    def test_identity_is_no_encoding(self, client: httpx.Client) -> None:
        """Saying that nothing was done is allowed."""
        assert send(client, captured(), headers={"content-encoding": "identity"}).status_code == 202


AMOUNTS = [0, -1, 10**12 + 1, 2**64, 1.0, 1000.5, "1000", True, None, [1000]]
IDS = ["", "a b", "a/b", "é", "a\n", "a\u0000", "x" * 65, 5, None]
TIMES = [
    "2026-01-01T00:00:00",
    "2008-12-31T23:59:59Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-12:00",
    "yesterday",
    1_700_000_000,
    None,
]


class TestInvalid:
    """422: JSON that says what an event may not, with a pointer to the first fault."""

    def pointer(self, answer: httpx.Response, gateway: RunningGateway) -> str:
        """Check that it is a 422 and return its pointer."""
        return str(refused(answer, 422, gateway)["pointer"])

    @pytest.mark.parametrize("amount", AMOUNTS)
    def test_amount(self, client: httpx.Client, gateway: RunningGateway, amount: object) -> None:
        """An amount is an integer from 1 to 10^12."""
        assert self.pointer(send(client, captured(amount_minor=amount)), gateway) == "/data/amount_minor"

    def test_the_bounds_of_amounts_are_amounts(self, client: httpx.Client) -> None:
        """1 and 10^12 are allowed."""
        assert send(client, [captured(1, amount_minor=1), captured(2, amount_minor=10**12)]).status_code == 202

    @pytest.mark.parametrize("number", ["1e3", "1000.0", "1E+3", "-0"])
    def test_other_ways_to_write_a_number(self, client: httpx.Client, gateway: RunningGateway, number: str) -> None:
        """What is written as a float is one."""
        body = text_of().replace("1000", number).encode()
        assert self.pointer(send(client, body), gateway) == "/data/amount_minor"

    @pytest.mark.parametrize("currency", ["EURO", "eur", "XXX", "XAU", "", "E R", "DEM", 978, None])
    def test_currency(self, client: httpx.Client, gateway: RunningGateway, currency: object) -> None:
        """A currency is an active code of ISO 4217, in capitals."""
        assert self.pointer(send(client, captured(currency=currency)), gateway) == "/data/currency"

    @pytest.mark.parametrize("field", ["campaign_id", "pledge_id", "capture_id", "backer_id", "share_token"])
    @pytest.mark.parametrize("value", IDS)
    def test_id(self, client: httpx.Client, gateway: RunningGateway, field: str, value: object) -> None:
        """Ids are 1 to 64 letters, digits and . _ : -; the optional ones may be null."""
        if value is None and field in {"backer_id", "share_token"}:
            assert send(client, having(field, value)).status_code == 202
        else:
            assert self.pointer(send(client, having(field, value)), gateway) == f"/data/{field}"

    @pytest.mark.parametrize("field", ["id", "subject", "dataschema", "source"])
    @pytest.mark.parametrize("character", ["\u0000", "\n", "\u001f", "\u007f", "\u0085"])
    def test_control_characters(
        self, client: httpx.Client, gateway: RunningGateway, field: str, character: str
    ) -> None:
        """No text anywhere has NUL or another control character."""
        assert self.pointer(send(client, captured() | {field: f"a{character}b"}), gateway) == f"/{field}"

    def test_control_characters_in_words_for_people(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """Texts within the data are no exception."""
        failed = captured() | {
            "type": "cercles.pledge.failed",
            "data": {"campaign_id": CAMPAIGN, "pledge_id": "p", "attempt_id": "a", "reason": "card\u0000declined"},
        }
        assert self.pointer(send(client, failed), gateway) == "/data/reason"

    @pytest.mark.parametrize(("field", "pointer"), [("amount", "/data/amount"), ("a/b~c", "/data/a~1b~0c")])
    def test_unknown_field(self, client: httpx.Client, gateway: RunningGateway, field: str, pointer: str) -> None:
        """A misspelt field is not taken for an absent one."""
        assert self.pointer(send(client, having(field, 1)), gateway) == pointer

    def test_missing_field(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """The pointer is to the object that lacks it: a pointer points at something that is there."""
        event = captured()
        del event["data"]["amount_minor"]
        problem = refused(send(client, event), 422, gateway)
        assert problem["pointer"] == "/data"
        assert "amount_minor" in problem["detail"]

    @pytest.mark.parametrize(
        "kind",
        [
            "cercles.campaign.launched",
            "cercles.campaign.amended",
            "cercles.campaign.closed",
            "cercles.goal.reached",
            "cercles.milestone.passed",
            "cercles.campaign.succeeded",
            "cercles.update",
            "com.example.other",
            "",
            7,
            None,
        ],
    )
    def test_type(self, client: httpx.Client, gateway: RunningGateway, kind: object) -> None:
        """Sources speak of pledges and shares only; what we derive nobody may say for us."""
        assert self.pointer(send(client, captured() | {"type": kind}), gateway) == "/type"

    @pytest.mark.parametrize("time", TIMES)
    def test_time(self, client: httpx.Client, gateway: RunningGateway, time: object) -> None:
        """A time has an offset, and is neither before 2009 nor far ahead."""
        assert self.pointer(send(client, captured() | {"time": time}), gateway) == "/time"

    @pytest.mark.parametrize("made_at", TIMES[:-1])
    def test_made_at(self, client: httpx.Client, gateway: RunningGateway, made_at: object) -> None:
        """The same holds for when a pledge was made."""
        assert self.pointer(send(client, captured(made_at=made_at)), gateway) == "/data/made_at"

    def test_times_ahead(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """24 hours ahead are allowed, more are not."""
        assert send(client, captured() | {"time": instant(24 * 3600 - 60)}).status_code == 202
        gateway.log.reset()
        assert self.pointer(send(client, captured() | {"time": instant(24 * 3600 + 60)}), gateway) == "/time"

    def test_2009_is_allowed(self, client: httpx.Client) -> None:
        """The first moment that counts."""
        assert send(client, captured() | {"time": datetime(2009, 1, 1, tzinfo=UTC).isoformat()}).status_code == 202

    @pytest.mark.parametrize("version", ["0.3", "1.1", 1, None])
    def test_specversion(self, client: httpx.Client, gateway: RunningGateway, version: object) -> None:
        """There is one version of CloudEvents."""
        assert self.pointer(send(client, captured() | {"specversion": version}), gateway) == "/specversion"

    @pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"text"'])
    def test_not_an_object(self, client: httpx.Client, gateway: RunningGateway, body: bytes) -> None:
        """The pointer to the whole document is empty."""
        assert self.pointer(send(client, body), gateway) == ""

    def test_a_batch_that_is_no_array(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """One event with the batch's content type is no batch."""
        body = text_of().encode()
        assert self.pointer(send(client, body, content_type=knocking.BATCH), gateway) == ""

    def test_a_batch_is_all_or_nothing(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """The last of many events is wrong: none is accepted, and the pointer says which."""
        batch = [captured(number) for number in range(50)] + [captured(50, amount_minor=0)]
        assert self.pointer(send(client, batch), gateway) == "/50/data/amount_minor"

    def test_the_first_fault_of_a_batch_is_named(self, client: httpx.Client, gateway: RunningGateway) -> None:
        """First in the order of the batch, whatever kind of fault it is."""
        batch = [captured(0), captured(1, campaign_id="a b"), captured(2, amount_minor="1")]
        assert self.pointer(send(client, batch), gateway) == "/1/data/campaign_id"


@pytest.mark.parametrize(
    "knock",
    [
        lambda client: client.get("/"),
        lambda client: client.get("/v1/sources//events"),
        lambda client: client.post("/v1/sources/a%2Fb/events"),
        lambda client: client.post("/v1/sources/%ff%00/nothing"),
        lambda client: client.get("/metrics"),
    ],
)
def test_no_such_door(
    client: httpx.Client, gateway: RunningGateway, knock: Callable[[httpx.Client], httpx.Response]
) -> None:
    """404, as a problem too. Health and metrics are on a port of their own."""
    refused(knock(client), 404, gateway)


def test_other_methods(client: httpx.Client, gateway: RunningGateway) -> None:
    """405, with those there are."""
    answer = client.get(f"/v1/sources/{knocking.SOURCE}/events")
    refused(answer, 405, gateway)
    assert "POST" in answer.headers["allow"]
