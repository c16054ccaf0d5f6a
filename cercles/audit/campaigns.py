"""Holds campaigns' totals, circles, rewards, days, pledges, shares, visits and terms against rows of one position."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection

from cercles.audit import stored
from cercles.audit.comparison import (
    Columns,
    circle_columns,
    day_columns,
    differing,
    pledge_columns,
    reward_columns,
    share_columns,
    terms_columns,
    totals_columns,
    visit_columns,
)
from cercles.audit.lines import Sums
from cercles.audit.report import Difference, Findings, Kind
from schemas.tables import campaigns, circle_totals, pledges, reward_totals, share_visits, shares
from schemas.updates import Position
from stream_processors.ledger.batch import FOLD_VERSION
from stream_processors.ledger.state import Campaign, PartitionState


class CampaignsAudit:
    """Compares campaigns of one partition within one snapshot, each once."""

    def __init__(
        self,
        connection: Connection,
        findings: Findings,
        state: PartitionState,
        rows: Mapping[str, stored.Row],
        *,
        sums: Mapping[str, Sums] | None,
    ) -> None:
        self._connection = connection
        self._findings = findings
        self._state = state
        self._rows = rows
        self._sums = sums
        self._done: set[str] = set()

    def compare(self, campaign_ids: Iterable[str]) -> None:
        """Compare these campaigns as they now stand in the fold; those compared before are left out."""
        for piece in stored.pieces(one for one in campaign_ids if one in self._rows and one not in self._done):
            self._done.update(piece)
            self._findings.counts.campaigns += len(piece)
            same = {one: self._state.campaigns[one] for one in piece if self._stands_at_its_rows(one)}
            for campaign_id in piece:
                self._check_sums(campaign_id)
            self._compare_totals(same)
            self._compare_terms(same)
            self._compare_circles(same)
            self._compare_rewards(same)
            self._compare_days(same)
            self._compare_pledges(same)
            self._compare_shares(same)
            self._compare_visits(same)

    def _stands_at_its_rows(self, campaign_id: str) -> bool:
        """Whether fold and rows stand at one position, so that every column must be equal; else say why not."""
        row, campaign = self._rows[campaign_id], self._state.campaigns.get(campaign_id)
        target = position_of(row)
        if target.offset < 0:
            return False  # a gap from the beginning on
        if campaign is None or campaign.position < target:
            self._add("ahead", "campaign", campaign_id, f"stands at {target.offset}:{target.number}, past the log")
            return False
        if row["fold_version"] != FOLD_VERSION:
            self._findings.note(f"rows were folded by version {row['fold_version']}, this audit by {FOLD_VERSION}")
        if campaign.position == target:
            if not row["complete"]:
                self._findings.note(f"campaign {campaign_id} is in the middle of an update, between two events")
            return True
        if campaign.position.offset == target.offset and not row["complete"]:
            self._findings.note(
                f"campaign {campaign_id} is in the middle of an update, within the event at "
                f"{row['partition_number']}:{target.offset}: its entries and their sums were compared up to there"
            )
        elif campaign.position.offset == target.offset:
            self._add(
                "behind",
                "campaign",
                campaign_id,
                f"stands within the event at {row['partition_number']}:{target.offset}",
            )
        return False

    def _check_sums(self, campaign_id: str) -> None:
        """Hold the stored totals against the stored entries: that needs no fold."""
        if self._sums is None:
            return
        row, sums = self._rows[campaign_id], self._sums.get(campaign_id, Sums())
        for column in ("pledged_minor", "collected_minor"):
            if row[column] != getattr(sums, column):
                self._findings.add(
                    Difference(
                        kind="sum",
                        what="the sum of its entries against its total",
                        campaign_id=campaign_id,
                        column=column,
                        database=row[column],
                        log=getattr(sums, column),
                    )
                )

    def _compare_totals(self, same: Mapping[str, Campaign]) -> None:
        for campaign_id, campaign in same.items():
            self._columns("totals", campaign_id, self._rows[campaign_id], totals_columns(campaign))

    def _compare_terms(self, same: Mapping[str, Campaign]) -> None:
        wanted = {(one, "terms"): terms_columns(campaign) for one, campaign in same.items()}
        self._compare_rows(wanted, stored.of_campaigns(self._connection, campaigns, list(same)), lambda _: "terms")

    def _compare_circles(self, same: Mapping[str, Campaign]) -> None:
        wanted = {
            (one, f"circle {circle}"): columns
            for one, campaign in same.items()
            for circle, columns in circle_columns(campaign).items()
        }
        found = stored.of_campaigns(self._connection, circle_totals, list(same))
        self._compare_rows(wanted, found, lambda row: f"circle {row['circle']}")

    def _compare_rewards(self, same: Mapping[str, Campaign]) -> None:
        wanted = {
            (one, f"reward {reward}"): columns
            for one, campaign in same.items()
            for reward, columns in reward_columns(campaign).items()
        }
        found = stored.of_campaigns(self._connection, reward_totals, list(same))
        self._compare_rows(wanted, found, lambda row: f"reward {row['reward_id']}")

    def _compare_days(self, same: Mapping[str, Campaign]) -> None:
        wanted = {
            (one, f"day {day}"): columns
            for one, campaign in same.items()
            for day, columns in day_columns(campaign).items()
        }
        found = stored.days(self._connection, list(same)).values() if same else ()
        self._compare_rows(wanted, found, lambda row: f"day {row['day']}")

    def _compare_pledges(self, same: Mapping[str, Campaign]) -> None:
        seen: dict[str, set[str]] = {one: set() for one in same}
        for row in stored.of_campaigns(self._connection, pledges, list(same)):
            campaign_id, pledge_id = row["campaign_id"], row["pledge_id"]
            campaign = same[campaign_id]
            if pledge_id not in campaign.pledges:
                self._add("unexpected", f"pledge {pledge_id}", campaign_id)
                continue
            seen[campaign_id].add(pledge_id)
            self._columns(f"pledge {pledge_id}", campaign_id, row, pledge_columns(campaign, pledge_id))
        for campaign_id, campaign in same.items():
            self._findings.counts.pledges += len(campaign.pledges)
            for pledge_id in campaign.pledges.keys() - seen[campaign_id]:
                self._add("missing", f"pledge {pledge_id}", campaign_id)

    def _compare_shares(self, same: Mapping[str, Campaign]) -> None:
        wanted = {
            (one, f"share {token}"): columns
            for one, campaign in same.items()
            for token, columns in share_columns(campaign).items()
        }
        found = stored.of_campaigns(self._connection, shares, list(same))
        self._compare_rows(wanted, found, lambda row: f"share {row['share_token']}")

    def _compare_visits(self, same: Mapping[str, Campaign]) -> None:
        wanted = {
            (one, f"visits of {token} from {origin}"): columns
            for one, campaign in same.items()
            for (token, origin), columns in visit_columns(campaign).items()
        }
        found = stored.of_campaigns(self._connection, share_visits, list(same))
        self._compare_rows(wanted, found, lambda row: f"visits of {row['share_token']} from {row['origin']}")

    def _compare_rows(self, wanted: dict[tuple[str, str], Columns], found: Iterable[stored.Row], name: Any) -> None:
        for row in found:
            columns = wanted.pop((row["campaign_id"], name(row)), None)
            if columns is None:
                self._add("unexpected", name(row), row["campaign_id"])
            else:
                self._columns(name(row), row["campaign_id"], row, columns)
        for campaign_id, what in wanted:
            self._add("missing", what, campaign_id)

    def _columns(self, what: str, campaign_id: str, row: Columns, wanted: Columns) -> None:
        for column, database, log in differing(row, wanted):
            self._findings.add(
                Difference(
                    kind="differs", what=what, campaign_id=campaign_id, column=column, database=database, log=log
                )
            )

    def _add(self, kind: Kind, what: str, campaign_id: str, words: str = "") -> None:
        self._findings.add(Difference(kind=kind, what=f"{what} {words}".strip(), campaign_id=campaign_id))


def position_of(row: stored.Row) -> Position:
    """Return the position of a row of `campaign_totals`."""
    return Position(row["position_offset"], row["position_number"])
