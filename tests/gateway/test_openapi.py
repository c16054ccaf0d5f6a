"""`/openapi.json` is truthful: schemathesis knocks at every door as it says, with and without the right key."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from prometheus_client import CollectorRegistry
from schemathesis import Case
from schemathesis.checks import CHECKS, load_all_checks
from standardwebhooks import Webhook

from producers.gateway.app import make_app
from producers.metrics import GatewayMetrics
from tests.gateway import knocking
from tests.gateway.conftest import RunningGateway
from tests.gateway.fake_log import FakeLog
from tests.gateway.knocking import ACCOUNT, CAMPAIGN, SOURCE

EXAMPLES = 15
SECONDS_MAX = 10

load_all_checks()
# No schema can tell every rule (a deadline after its opening, no time before 2009): what conforms may yet be refused.
UNSAID_RULES: list[Any] = [CHECKS.get_one("positive_data_acceptance")]
# With a key of ours on every request, the checks that leave it out on purpose mean nothing.
OF_ANSWERS: list[Any] = [
    CHECKS.get_one(name)
    for name in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
    )
]


def description() -> dict[str, Any]:
    """Return what a gateway says of itself."""
    app: Any = make_app(knocking.settings(), FakeLog(), GatewayMetrics(CollectorRegistry()))

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
            return await client.get("/openapi.json")

    document: dict[str, Any] = asyncio.run(ask()).json()
    return document


api = schemathesis.openapi.from_dict(description())
thoroughly = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    # The same requests in every run: what is found stays found, and nothing else can fail on a day of its own.
    derandomize=True,
    database=None,
)


@pytest.fixture(autouse=True)
def _empty_log(running_gateway: RunningGateway) -> None:
    """What an earlier test made of the log, such as a broker that is away, is not what is tried here."""
    running_gateway.log.reset()


@api.parametrize()
@thoroughly
def test_strangers(case: Case[Any], running_gateway: RunningGateway) -> None:
    """Without the right key every door answers as it says, and lets nothing pass."""
    response = case.call_and_validate(running_gateway.url, excluded_checks=UNSAID_RULES, timeout=SECONDS_MAX)
    assert response.status_code >= 400 or case.method == "OPTIONS"


@api.parametrize()
@thoroughly
def test_insiders(case: Case[Any], running_gateway: RunningGateway) -> None:
    """With the right key, or signature, too: whatever the body, the answer is one of those described."""
    case.path_parameters |= {"source": SOURCE, "account": ACCOUNT} if "{campaign_id}" not in case.path else {}
    request = requests.Request(**case.as_transport_kwargs(running_gateway.url)).prepare()
    request.headers.update(key_for(case.path, body_of(request)))
    with requests.Session() as session:
        response = session.send(request, timeout=SECONDS_MAX)
    case.validate_response(response, checks=OF_ANSWERS)
    if is_text(body_of(request)):  # what is none can't be signed by the schemes' libraries
        assert response.status_code != 401


def body_of(request: requests.PreparedRequest) -> bytes:
    match request.body:
        case bytes() as body:
            return body
        case str() as text:
            return text.encode()
        case None:
            return b""
    raise TypeError("schemathesis sends whole bodies")


def is_text(body: bytes) -> bool:
    return body.decode("utf-8", "replace").encode() == body


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
