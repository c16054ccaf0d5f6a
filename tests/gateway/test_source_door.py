"""The door for sources of our own: what is accepted, and what becomes of it."""

import httpx
import msgspec
import pytest

from producers.pseudonyms import Pseudonyms
from schemas.events import CONTENT_TYPE, Decoding, PledgeCaptured, SharePosted
from schemas.topics import LOG
from tests.gateway import knocking
from tests.gateway.conftest import RunningGateway
from tests.gateway.knocking import CAMPAIGN, SOURCE, captured, send


def test_an_event_is_accepted_with_its_position(client: httpx.Client, gateway: RunningGateway) -> None:
    """One signed event is answered 202 with its id and where it stands on the log."""
    answer = send(client, captured())
    assert answer.status_code == 202, answer.text
    (accepted,) = answer.json()["accepted"]
    assert accepted["id"] == "event-1"
    partition, offset = accepted["position"].split(":")
    assert int(partition) >= 0
    assert int(offset) >= 0
    assert len(gateway.log.records) == 1


def test_the_record_is_keyed_and_typed(client: httpx.Client, gateway: RunningGateway) -> None:
    """On the log its key is the campaign's id, its value the event, and a header tells the content type."""
    send(client, captured())
    (record,) = gateway.log.records
    assert record.topic == LOG.name
    assert record.key == CAMPAIGN.encode()
    assert record.headers == (("content-type", CONTENT_TYPE.encode()),)
    assert isinstance(Decoding.log.decode(record.value), PledgeCaptured)


def test_the_source_is_whose_secret_signed(client: httpx.Client, gateway: RunningGateway) -> None:
    """What the event itself says of its source is overwritten."""
    send(client, captured() | {"source": "sources/somebody-else"})
    assert Decoding.log.decode(gateway.log.records[0].value).source == f"sources/{SOURCE}"


def test_people_become_pseudonyms(client: httpx.Client, gateway: RunningGateway) -> None:
    """The backer of a pledge and the sharer of a link are known by the same pseudonym, never by their ids."""
    pseudonym = Pseudonyms(knocking.settings().pseudonym.key).of("person-1")
    posted = captured() | {
        "type": "cercles.share.posted",
        "data": {"campaign_id": CAMPAIGN, "share_token": "t", "sharer_id": "person-1", "network": "mail"},
    }
    assert send(client, [captured(backer_id="person-1"), posted]).status_code == 202
    pledge, share = (Decoding.log.decode(record.value) for record in gateway.log.records)
    assert isinstance(pledge, PledgeCaptured)
    assert isinstance(share, SharePosted)
    assert pledge.data.backer_id == share.data.sharer_id == pseudonym
    assert b"person-1" not in gateway.log.records[0].value


def test_everything_else_is_as_it_was_sent(client: httpx.Client, gateway: RunningGateway) -> None:
    """Apart from source and pseudonyms the log has what was sent, in the order of the fields' struct."""
    sent = captured(reward_id="poster", made_at=knocking.instant(-60)) | {"subject": "a pledge"}
    send(client, sent)
    logged = msgspec.json.decode(gateway.log.records[0].value)
    assert {**logged["data"], "backer_id": "", "made_at": ""} == {**sent["data"], "backer_id": "", "made_at": ""}
    assert (logged["id"], logged["subject"]) == (sent["id"], "a pledge")


def test_a_batch_is_answered_in_its_order(client: httpx.Client, gateway: RunningGateway) -> None:
    """The accepted events come in the order of the batch, each with its own position."""
    batch = [captured(number, campaign_id=f"campaign-{number % 3}") for number in range(40)]
    answer = send(client, batch)
    assert answer.status_code == 202
    assert [one["id"] for one in answer.json()["accepted"]] == [event["id"] for event in batch]
    assert len({one["position"] for one in answer.json()["accepted"]}) == 40
    assert [record.key for record in gateway.log.records] == [f"campaign-{number % 3}".encode() for number in range(40)]


def test_an_empty_batch_is_accepted(client: httpx.Client, gateway: RunningGateway) -> None:
    """Nothing to write is no fault."""
    answer = send(client, [])
    assert (answer.status_code, answer.json()) == (202, {"accepted": []})
    assert gateway.log.records == []


def test_unknown_extension_attributes_are_left_out(client: httpx.Client, gateway: RunningGateway) -> None:
    """CloudEvents lets anybody add attributes to the envelope; they do not reach the log."""
    assert send(client, captured() | {"traceparent": "00-1-2-01"}).status_code == 202
    assert b"traceparent" not in gateway.log.records[0].value


@pytest.mark.parametrize("content_type", [f"{knocking.EVENT}; charset=utf-8", knocking.EVENT.upper()])
def test_content_types_are_compared_as_http_does(client: httpx.Client, content_type: str) -> None:
    """Parameters and capitals make no difference."""
    assert send(client, captured(), content_type=content_type).status_code == 202


def test_the_previous_secret_is_still_accepted(client: httpx.Client) -> None:
    """A source can change its secret without losing an event."""
    assert send(client, captured(), secret=knocking.SOURCE_SECRET_BEFORE).status_code == 202


def test_one_good_signature_among_several_is_enough(client: httpx.Client) -> None:
    """A source that signs with two secrets, or also by another version of the scheme, is understood."""
    body = msgspec.json.encode(captured())
    signed = knocking.source_headers(body)["webhook-signature"]
    other = "v1," + "A" * 43 + "="
    several = f"v1a,xyz {other} garbled {signed}"
    assert send(client, body, headers={"webhook-signature": several}).status_code == 202


@pytest.mark.parametrize("seconds", [-290, 290])
def test_times_within_the_tolerance_are_accepted(client: httpx.Client, seconds: int) -> None:
    """Clocks may differ by up to 300 s to both sides."""
    assert send(client, captured(), seconds_from_now=seconds).status_code == 202


def test_the_broker_away_is_503_with_the_time_to_come_back(client: httpx.Client, gateway: RunningGateway) -> None:
    """Nothing is answered 2xx that the broker has not acknowledged."""
    gateway.log.away = True
    answer = send(client, captured())
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["reason"] == "broker_away"


def test_a_defect_is_a_500_problem_with_the_id_to_look_for(client: httpx.Client, gateway: RunningGateway) -> None:
    """An unexpected error shows nothing of itself to the client."""
    gateway.log.fault = ZeroDivisionError("a secret detail")
    answer = send(client, captured())
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"]
    assert "secret" not in answer.text


def test_requests_and_events_are_counted_by_bounded_labels(client: httpx.Client, gateway: RunningGateway) -> None:
    """The route is a template, the source one of the settings'."""
    name, source = "cercles_gateway_accepted_events_total", f"sources/{SOURCE}"
    before = gateway.counted(name, source=source)
    send(client, [captured(1), captured(2)])
    client.post("/nowhere/at/all")
    assert gateway.counted(name, source=source) == before + 2
    routes = {
        sample.labels["route"]
        for metric in gateway.registry.collect()
        for sample in metric.samples
        if sample.name == "cercles_gateway_requests_total"
    }
    assert routes <= {
        "/v1/sources/{source}/events",
        "/v1/webhooks/stripe/{account}",
        "/v1/campaigns/{campaign_id}",
        "/v1/campaigns/{campaign_id}/amendments",
        "/v1/campaigns/{campaign_id}/shares",
        "/s/{ticket}",
        "/openapi.json",
        "unmatched",
    }
