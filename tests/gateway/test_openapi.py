"""`/openapi.json` is truthful: schemathesis knocks at every door as it says, with and without the right key."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.schemas import BaseSchema
from standardwebhooks import Webhook

from tests.gateway import knocking
from tests.gateway.conftest import RunningGateway
from tests.gateway.knocking import ACCOUNT, CAMPAIGN, SOURCE

EXAMPLES = 50
SECONDS_MAX = 10

# Bodies may break rules that no schema can tell (a deadline before its opening, a time before 2009), so that data that
# conforms to the schema may be refused; and every door knows one method only, of which the router takes care.
load_all_checks()
UNSAID_RULES: list[Any] = [CHECKS.get_one("positive_data_acceptance")]


@pytest.fixture
def api(running_gateway: RunningGateway) -> BaseSchema:
    """The description that the gateway itself serves."""
    return schemathesis.openapi.from_url(f"{running_gateway.url}/openapi.json")


described = schemathesis.pytest.from_fixture("api")
thoroughly = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


@described.parametrize()
@thoroughly
def test_strangers(case: Case[Any]) -> None:
    """Without the right key every door answers as it says, and lets nothing pass."""
    response = case.call_and_validate(excluded_checks=UNSAID_RULES, timeout=SECONDS_MAX)
    assert response.status_code >= 400


@described.parametrize()
@thoroughly
def test_insiders(case: Case[Any]) -> None:
    """With the right key, or signature, too: whatever the body, the answer is one of those described."""
    case.path_parameters |= {"source": SOURCE, "account": ACCOUNT} if "{campaign_id}" not in case.path else {}
    request = requests.Request(**case.as_transport_kwargs()).prepare()
    request.headers.update(key_for(case.path, body_of(request)))
    with requests.Session() as session:
        response = session.send(request, timeout=SECONDS_MAX)
    case.validate_response(response, excluded_checks=UNSAID_RULES)
    assert response.status_code != 401 or b"\xef\xbf\xbd" in body_of(request)


def body_of(request: requests.PreparedRequest) -> bytes:
    match request.body:
        case bytes() as body:
            return body
        case str() as text:
            return text.encode()
        case None:
            return b""
    raise TypeError("schemathesis sends whole bodies")


def key_for(path: str, body: bytes) -> dict[str, str]:
    """Return the headers that open a door."""
    if path.startswith("/v1/campaigns"):
        return knocking.admin_headers()
    now = datetime.now(UTC)
    text = body.decode("utf-8", "replace")
    if "stripe" in path:
        return {"stripe-signature": knocking.stripe_signature(text)}
    return {
        "webhook-id": "msg-1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(knocking.SOURCE_SECRET).sign("msg-1", now, text),
    }


def test_a_campaign_that_conforms_is_accepted(client: httpx.Client) -> None:
    """The bodies of the other tests, which are accepted, conform to the description."""
    document = client.get("/openapi.json").json()
    assert client.put(f"/v1/campaigns/{CAMPAIGN}", json=knocking.launch(), headers=knocking.admin_headers()).is_success
    launch = document["components"]["schemas"]["CampaignLaunch"]
    assert "campaign_id" not in launch["properties"]
    assert set(launch["required"]) <= set(knocking.launch())
