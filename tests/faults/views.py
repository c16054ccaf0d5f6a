"""The other ways to see the campaigns: over HTTP and in metrics. Each yields what differs from the naive fold."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any, Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

from schemas.topics import LOG
from schemas.updates import Totals
from tests.faults.oracle import Stretch
from tests.ledger.naive_campaign import NaiveCampaign

READ_KEY: Final = "read-key-for-tests-only"
READ_SECONDS_MAX: Final = 20.0
EVENTS_ASKED_MAX: Final = 10
"""Events of a stretch whose fate is asked for one by one, of each kind."""

AMOUNTS: Final = ("pledged_minor", "collected_minor")
OTHER: Final = "other"


def over_http(base: str, chance: random.Random) -> Callable[[Stretch], Iterator[str]]:
    """Return the view of the reader at that address."""

    def view(stretch: Stretch) -> Iterator[str]:
        headers = {"authorization": f"Bearer {READ_KEY}"}
        with httpx.Client(base_url=f"{base}/v1/campaigns", headers=headers, timeout=READ_SECONDS_MAX) as client:
            for campaign_id, naive in stretch.campaigns.items():
                yield from _campaign(client, campaign_id, naive, stretch)
            yield from _events(client, stretch, chance)

    return view


def in_metrics(url: str) -> Callable[[Stretch], Iterator[str]]:
    """Return the view of the exporter at that address; it has every campaign, of this stretch or not."""
    known: dict[str, tuple[int, Totals]] = {}

    def totals_of(campaign_id: str, naive: NaiveCampaign) -> Totals:
        """Ask again only when something has come to the campaign: the naive fold takes its time."""
        if known.get(campaign_id, (0,))[0] != len(naive.log):
            known[campaign_id] = len(naive.log), naive.totals()
        return known[campaign_id][1]

    def view(stretch: Stretch) -> Iterator[str]:
        ledgers = stretch.expected.naive.values()
        every = {one: totals_of(one, naive) for ledger in ledgers for one, naive in ledger.campaigns.items()}
        sums = _sums_by_campaign(httpx.get(url, timeout=READ_SECONDS_MAX).text)
        for name in AMOUNTS:
            found = sums[f"cercles_campaign_{name}"]
            # Those beyond the greatest are summed as `other`: all together must be right in any case.
            told = sum(found.values()) if OTHER in found or len(found) == len(every) else -1
            if told != sum(getattr(totals, name) for totals in every.values()):
                yield f"metrics: {name} of {len(found)} of {len(every)} campaigns adds up to {told}"
            for campaign_id in stretch.campaigns:
                wanted = getattr(every[campaign_id], name)
                if campaign_id in found and found[campaign_id] != wanted:
                    yield f"metrics: {name} of {campaign_id} is {found[campaign_id]}, not {wanted}"

    return view


def _sums_by_campaign(exposition: str) -> dict[str, Counter[str]]:
    """Return what a campaign's circles add up to, by the metric's name and the campaign."""
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    for family in text_string_to_metric_families(exposition):
        if family.name in {f"cercles_campaign_{name}" for name in AMOUNTS}:
            for sample in family.samples:
                sums[family.name][sample.labels["campaign_id"]] += int(sample.value)
    return sums


def _campaign(client: httpx.Client, campaign_id: str, naive: NaiveCampaign, stretch: Stretch) -> Iterator[str]:
    whole = client.get(f"/{campaign_id}").json()
    days = client.get(f"/{campaign_id}/days").json()
    entries = list(_pages(client, f"/{campaign_id}/entries", "entries"))
    wanted = naive.totals()
    for name in (*AMOUNTS, "over_returned_minor", "late_minor", "percent", "backers"):
        found = whole.get("totals", {}).get(name)
        if found != getattr(wanted, name):
            yield f"HTTP: {name} of {campaign_id} is {found}, not {getattr(wanted, name)}"
    for name in AMOUNTS:
        sums = [sum(row[name] for row in rows) for rows in (whole.get("circles", []), days.get("days", []), entries)]
        if set(sums) != {getattr(wanted, name)}:
            yield f"HTTP: {name} of {campaign_id}, by circles, days and entries: {sums}, not {getattr(wanted, name)}"
    said = [(one["type"], one["position"]) for one in _pages(client, f"/{campaign_id}/milestones", "milestones")]
    should = [(one.type, f"{stretch.partitions[campaign_id]}:{one.offset}") for one in stretch.said[campaign_id]]
    if said != should:
        yield f"HTTP: {campaign_id} said {said}, not {should}"


def _pages(client: httpx.Client, path: str, name: str) -> Iterator[dict[str, Any]]:
    cursor: str | None = None
    while True:
        page = client.get(path, params={"limit": 500} | ({} if cursor is None else {"cursor": cursor})).json()
        yield from page.get(name, [])
        cursor = page.get("next_cursor")
        if cursor is None:
            return


def _events(client: httpx.Client, stretch: Stretch, chance: random.Random) -> Iterator[str]:
    """Ask what became of some events, applied and refused ones."""
    expected = stretch.expected
    applied = sorted({(row[3], row[0], row[1]) for row in expected.entries if row[3] in stretch.campaigns})
    refused = sorted((partition, offset) for topic, partition, offset, _ in expected.dead_letters if topic == LOG.name)
    questions = [(one, "applied") for one in chance.sample(applied, min(EVENTS_ASKED_MAX, len(applied)))]
    for campaign_id in list(stretch.campaigns)[:1]:
        some = chance.sample(refused, min(EVENTS_ASKED_MAX, len(refused)))
        questions += [((campaign_id, *place), "refused") for place in some]
    for (campaign_id, partition, offset), wanted in questions:
        answer = client.get(f"/{campaign_id}/events/{partition}:{offset}")
        # A refused event of another campaign is none of this one's: the reader may say so by 404.
        if answer.status_code == httpx.codes.OK and answer.json()["status"] != wanted:
            yield f"HTTP: the event at {partition}:{offset} is {answer.json()['status']}, not {wanted}"
        elif answer.status_code != httpx.codes.OK and wanted == "applied":
            yield f"HTTP: the event at {partition}:{offset} gives {answer.status_code}"
