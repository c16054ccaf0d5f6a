"""Following campaigns through the reader's API: here a reader made up of answers, behind httpx's own test transport."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import msgspec
import pytest

from cercles.watch import Watch
from readers.answers import Campaign, Campaigns, CampaignSummary, Milestone, Milestones
from tests.command.scenes import MILESTONES, NOW, a_campaign


class FakeReader:
    """Answers like a reader, from what the test puts into it."""

    def __init__(self) -> None:
        self.campaigns: dict[str, Campaign] = {}
        self.milestones: tuple[Milestone, ...] = ()
        self.page_size = 100
        self.away = False

    def put(self, campaign_id: str, as_of: str) -> None:
        self.campaigns[campaign_id] = msgspec.structs.replace(a_campaign(), campaign_id=campaign_id, as_of=as_of)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.away:
            raise httpx.ConnectError("connection refused")
        match request.url.path.strip("/").split("/"):
            case ["v1", "campaigns"]:
                return self._answer(self._list())
            case ["v1", "campaigns", campaign_id]:
                return self._answer(self.campaigns[campaign_id])
            case ["v1", "campaigns", campaign_id, "milestones"]:
                return self._answer(self._milestones(campaign_id, int(request.url.params.get("cursor", 0))))
        return httpx.Response(404)

    @staticmethod
    def _answer(content: Any) -> httpx.Response:
        return httpx.Response(200, content=msgspec.json.encode(content))

    def _list(self) -> Campaigns:
        summaries = [
            CampaignSummary(
                campaign_id=one.campaign_id,
                as_of=one.as_of,
                complete=True,
                gap_at=None,
                title=one.terms.title,
                status="open",
                opens_at=NOW,
                closes_at=NOW,
                totals=one.totals,
            )
            for _, one in sorted(self.campaigns.items())
        ]
        return Campaigns(as_of=["0:9", "2:4"], campaigns=summaries, next_cursor=None)

    def _milestones(self, campaign_id: str, first: int) -> Milestones:
        page = list(self.milestones[first : first + self.page_size])
        more = first + self.page_size < len(self.milestones)
        return Milestones(
            campaign_id=campaign_id,
            as_of="0:9",
            complete=True,
            gap_at=None,
            currency="EUR",
            milestones=page,
            next_cursor=str(first + self.page_size) if more else None,
        )


@pytest.fixture
def reader() -> FakeReader:
    return FakeReader()


@pytest.fixture
def watch(reader: FakeReader) -> Iterator[Watch]:
    with closing(Watch("http://reader", transport=httpx.MockTransport(reader))) as watch:
        yield watch


def test_before_the_first_campaign_there_is_only_how_far_the_log_is_stored(watch: Watch) -> None:
    """Positions are offsets: the last one of a partition is one less than its events."""
    scene = watch.look()
    assert scene.campaign is None
    assert scene.pipeline is not None
    assert scene.pipeline.stored == 15


def test_the_campaign_that_changed_last_is_shown(reader: FakeReader, watch: Watch) -> None:
    """It stays while only it changes, and while nothing does."""
    reader.put("book", "0:1000")
    assert _shown(watch) == "book"
    reader.put("film", "2:1000")
    assert _shown(watch) == "film"
    assert _shown(watch) == "film"
    reader.put("book", "0:1001")
    assert _shown(watch) == "book"
    assert watch.look().more_campaigns == 1


def test_milestones_of_several_pages_are_all_there_once(reader: FakeReader, watch: Watch) -> None:
    """Also after further looks, and after more were said."""
    reader.put("film", "0:1000")
    reader.page_size = 2
    reader.milestones = MILESTONES[:5]
    assert watch.look().milestones == MILESTONES[:5]
    reader.milestones = MILESTONES
    for _ in range(3):
        assert watch.look().milestones == MILESTONES


def test_milestones_that_are_not_kept_are_counted(
    reader: FakeReader, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether their pages are full or not, and however often somebody looks."""
    monkeypatch.setattr("cercles.watch.MILESTONES_KEPT_MAX", 3)
    reader.put("film", "0:1000")
    reader.page_size = 2
    reader.milestones = MILESTONES
    for _ in range(3):
        scene = watch.look()
        assert scene.milestones == MILESTONES[-3:]
        assert scene.milestones_before == len(MILESTONES) - 3


def test_what_was_stored_at_the_first_look_is_no_news(reader: FakeReader, watch: Watch) -> None:
    """For each partition; it stays as it was then."""
    reader.put("film", "0:1000")
    scene = watch.look()
    assert (scene.is_news("0:9"), scene.is_news("0:10"), scene.is_news("1:0")) == (False, True, True)


def test_milestones_are_of_the_same_moment_as_the_totals(reader: FakeReader, watch: Watch) -> None:
    """What was said after the campaign's answer is shown with the next one."""
    reader.put("film", "0:2")
    reader.milestones = MILESTONES
    assert watch.look().milestones == MILESTONES[:4]


def test_a_reader_that_is_away_leaves_the_last_scene(reader: FakeReader, watch: Watch) -> None:
    """It is being restarted; nothing flickers meanwhile."""
    reader.put("film", "0:1000")
    scene = watch.look()
    reader.away = True
    assert watch.look() is scene


def _shown(watch: Watch) -> str:
    campaign = watch.look().campaign
    assert campaign is not None
    return campaign.campaign_id
