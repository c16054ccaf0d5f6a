"""Puts the doors together into one ASGI application."""

from collections.abc import Callable
from datetime import UTC, datetime

from litestar import Litestar
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp

from producers.gateway.admin_door import AdminDoor
from producers.gateway.openapi import document_door
from producers.gateway.posting import Posting
from producers.gateway.premises import Premises
from producers.gateway.problems import Problem, ProblemAnswers
from producers.gateway.share_links import ShareLinks
from producers.gateway.source_door import SourceDoor
from producers.gateway.source_signatures import SourceSignatures
from producers.gateway.stripe_door import StripeDoor
from producers.gateway.stripe_signatures import StripeSignatures
from producers.gateway.visit_counts import VisitCounts
from producers.gateway.visit_door import VisitDoor
from producers.gateway.watch import Watch
from producers.metrics import GatewayMetrics
from producers.pseudonyms import Pseudonyms
from producers.publishing import Publishing
from producers.settings import GatewaySettings


def now() -> datetime:
    return datetime.now(UTC)


def make_app(
    settings: GatewaySettings,
    publishing: Publishing,
    metrics: GatewayMetrics,
    now: Callable[[], datetime] = now,
    visits: VisitCounts | None = None,
) -> ASGIApp:
    """Return the application. It opens nothing; `publishing` is what writes to the log, `now` the clock.

    `visits` is where visits are counted, for who tells them to the log.
    """
    premises = Premises(
        posting=Posting(publishing, metrics),
        pseudonyms=Pseudonyms(settings.pseudonym.key),
        metrics=metrics,
        now=now,
        body_seconds=settings.body_seconds,
    )
    links = ShareLinks(settings.pseudonym.key)
    pages = None if settings.campaign_pages is None else str(settings.campaign_pages).rstrip("/")
    doors = [
        SourceDoor(SourceSignatures(settings.sources), premises).handler(),
        StripeDoor(StripeSignatures(settings.stripe_accounts, now), premises).handler(),
        *AdminDoor(settings.admin_key, premises, None if pages is None else links).handlers(),
    ]
    if pages is not None:
        doors += VisitDoor(pages, links, visits or VisitCounts(metrics)).handlers()
    answers = ProblemAnswers(metrics)
    app = Litestar(
        route_handlers=[*doors, document_door(doors)],
        openapi_config=None,
        exception_handlers={
            Problem: answers.of_problem,
            HTTPException: answers.of_framework,
            Exception: answers.of_defect,
        },
        logging_config=None,
        debug=False,
    )
    return Watch(app, metrics, settings.requests_max)
