"""However many campaigns are asked about that do not exist, a reader's metrics have the series that they had."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain, cycle, islice, repeat
from random import Random
from typing import Any, NoReturn

from readers.app import build_app
from readers.live.following import Following
from readers.metrics import ReaderMetrics
from readers.queries import CampaignUnknownError
from readers.settings import ReaderSettings
from readers.snapshots import Snapshots, open_engine
from readers.waiting import Waiting
from tests.asgi import ask
from tests.readers.conftest import READ_KEY, settings_for
from tests.series import series_of, unknown_ids

CAMPAIGN = "/v1/campaigns/{}"
PATHS = (
    CAMPAIGN,
    f"{CAMPAIGN}/circles",
    f"{CAMPAIGN}/days",
    f"{CAMPAIGN}/rewards",
    f"{CAMPAIGN}/shares",
    f"{CAMPAIGN}/milestones",
    f"{CAMPAIGN}/entries",
    f"{CAMPAIGN}/events/0:1",
    f"{CAMPAIGN}/stream",
    "/campaigns/{}",
    "/assets/{}",
    "/v1/shares/{}",
    "/{}",
)
KEY = {"authorization": f"Bearer {READ_KEY}"}
OVER_ALL_ROUTES = 10_000
OTHER_METHODS = 1_000


class NothingStored(Snapshots):
    """A database without campaigns, that answers at once."""

    async def read(self, question: Callable[..., Any]) -> NoReturn:  # noqa: ARG002 - the same to every question
        """Say so."""
        raise CampaignUnknownError("no such campaign is stored")


@contextmanager
def reader(settings: ReaderSettings) -> Iterator[tuple[Any, ReaderMetrics]]:
    """Give an application of a reader of nothing, and what it counts."""
    metrics, engine = ReaderMetrics(), open_engine(settings)
    snapshots = NothingStored(engine, metrics, at_once=1, queued_max=0)
    waiting, following = Waiting(snapshots, metrics, settings), Following(snapshots, metrics, settings)
    yield build_app(snapshots, waiting, following, metrics, settings), metrics
    engine.dispose()


def test_unknown_campaigns_add_no_series() -> None:
    """100,000 of them, the first ones over all routes; then methods. Routes are told apart by their templates."""

    async def scene(app: Any, metrics: ReaderMetrics) -> None:
        for path in PATHS:
            for method in ("GET", "BREW"):
                await ask(app, method, path.format("first"), headers=KEY)
        before = series_of(metrics.registry)
        paths = chain(islice(cycle(PATHS), OVER_ALL_ROUTES), repeat(CAMPAIGN))
        for campaign_id, path in zip(unknown_ids(), paths, strict=False):
            answer = await ask(app, "GET", path.format(campaign_id), headers=KEY)
            assert answer.status == 404, (path, answer)
        for name, path in zip(unknown_ids(OTHER_METHODS, seed=2), cycle(PATHS), strict=False):
            answer = await ask(app, f"X-{name}", path.format(name), headers={"user-agent": name, "referer": name})
            assert answer.status in (404, 405), (name, path, answer)
        assert series_of(metrics.registry) == before

    with reader(settings_for("sqlite:///nowhere.db")) as (app, metrics):
        asyncio.run(scene(app, metrics))


def test_parameters_add_no_series() -> None:
    """Cursors, positions, statuses and languages that are none, in queries of whatever names."""

    async def scene(app: Any, metrics: ReaderMetrics) -> None:
        random, before = Random(3), None
        for number, name in enumerate(unknown_ids(3_000, seed=3)):
            parameter = random.choice(["cursor", "limit", "status", "wait_for", "lang", name])
            path = random.choice(["/v1/campaigns", "/v1/campaigns/film/entries", "/campaigns", "/campaigns/film"])
            answer = await ask(app, "GET", path, query=f"{parameter}={name}".encode(), headers=KEY)
            assert answer.status in (400, 404), (path, parameter, answer)
            if number == 500:
                before = series_of(metrics.registry)
        assert series_of(metrics.registry) == before

    with reader(settings_for("sqlite:///nowhere.db")) as (app, metrics):
        asyncio.run(scene(app, metrics))
