"""Follows the campaigns through the reader's HTTP API, and through nothing else."""

from typing import Final, TypeVar

import httpx
import msgspec

from cercles.panel import Pipeline, Scene
from readers.answers import Campaign, Campaigns, Milestone, Milestones

ANSWER_SECONDS_MAX: Final = 2.0
CAMPAIGNS_LOOKED_AT_MAX: Final = 100
MILESTONES_KEPT_MAX: Final = 24
PAGES_A_LOOK_MAX: Final = 5

_Answer = TypeVar("_Answer")


class Watch:
    """Looks at the reader whenever asked, and keeps the last scene while the reader is away."""

    def __init__(
        self, reader_url: str, campaign_id: str | None = None, *, transport: httpx.BaseTransport | None = None
    ) -> None:
        """Follow that campaign, or the one that changed last. `transport` takes the network's place in tests."""
        self._client = httpx.Client(base_url=reader_url, timeout=ANSWER_SECONDS_MAX, transport=transport)
        self._campaign_id = campaign_id
        self._seen: dict[str, str] = {}
        self._shown: str | None = campaign_id
        self._earlier_milestones: list[Milestone] = []
        self._cursor: str | None = None
        self._dropped_milestones = 0
        self._began: dict[int, int] | None = None
        self._scene = Scene(None)

    def close(self) -> None:
        self._client.close()

    def look(self) -> Scene:
        """Return what there is to show now. Never raises because the reader is away."""
        try:
            self._scene = self._look()
        except httpx.HTTPError:
            return self._scene  # it is being started, or restarted: the supervisor says so
        return self._scene

    def _look(self) -> Scene:
        page = self._get("/v1/campaigns", Campaigns, limit=CAMPAIGNS_LOOKED_AT_MAX)
        changed = [one.campaign_id for one in page.campaigns if self._seen.get(one.campaign_id) != one.as_of]
        self._seen = {one.campaign_id: one.as_of for one in page.campaigns}
        if self._campaign_id is None and changed:
            self._show(changed[0] if self._shown not in changed else str(self._shown))
        if self._began is None:
            self._began = dict(map(_place, page.as_of))
        stored = sum(_offset(position) + 1 for position in page.as_of)
        pipeline = Pipeline(stored=stored)
        if self._shown is None or self._shown not in self._seen:
            return Scene(None, pipeline=pipeline, began=self._began)
        campaign = self._get(f"/v1/campaigns/{self._shown}", Campaign)
        said = self._read_milestones(self._shown)
        # The second answer may be of a later moment than the first; what is shown is of one.
        said = [milestone for milestone in said if _offset(milestone.position) <= _offset(campaign.as_of)]
        kept = said[-MILESTONES_KEPT_MAX:]
        return Scene(
            campaign,
            tuple(kept),
            pipeline,
            more_campaigns=len(self._seen) - 1,
            milestones_before=self._dropped_milestones + len(said) - len(kept),
            began=self._began,
        )

    def _show(self, campaign_id: str) -> None:
        if campaign_id != self._shown:
            self._shown, self._earlier_milestones, self._cursor = campaign_id, [], None
            self._dropped_milestones = 0

    def _read_milestones(self, campaign_id: str) -> list[Milestone]:
        """Return the milestones; pages that are full never change again, so only the last one is asked for."""
        for _ in range(PAGES_A_LOOK_MAX):
            cursor = {} if self._cursor is None else {"cursor": self._cursor}
            page = self._get(f"/v1/campaigns/{campaign_id}/milestones", Milestones, **cursor)
            if page.next_cursor is None:
                return [*self._earlier_milestones, *page.milestones]
            earlier = [*self._earlier_milestones, *page.milestones]
            self._earlier_milestones = earlier[-MILESTONES_KEPT_MAX:]
            self._dropped_milestones += len(earlier) - len(self._earlier_milestones)
            self._cursor = page.next_cursor
        return self._earlier_milestones

    def _get(self, path: str, kind: type[_Answer], **parameters: str | int) -> _Answer:
        answer = self._client.get(path, params=parameters)
        answer.raise_for_status()
        return msgspec.json.decode(answer.content, type=kind)


def _offset(position: str) -> int:
    return _place(position)[1]


def _place(position: str) -> tuple[int, int]:
    partition, _, offset = position.partition(":")
    return int(partition), int(offset)
