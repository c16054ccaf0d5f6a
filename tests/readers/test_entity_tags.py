"""Entity tags: an answer that has not changed is not sent again, and one that has always is."""

import httpx

from tests.readers.stored import Line, Stored

OPEN = ("", "/film", "/film/circles", "/film/days", "/film/rewards", "/film/milestones")
PATHS = (*OPEN, "/film/entries", "/film/events/0:1")


def test_what_the_client_has_is_not_sent_again(stored: Stored, api: httpx.Client) -> None:
    """200 with a strong tag, then 304 without content, with the tag and the position repeated."""
    stored.campaign()
    stored.entries(1, [Line(2_000)])
    stored.progress(2)
    for path in PATHS:
        url = f"/v1/campaigns{path}"
        first = api.get(url)
        tag = first.headers["etag"]
        assert tag.startswith('"')
        assert first.headers["cache-control"] == "no-cache"
        for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
            again = api.get(url, headers={"if-none-match": known})
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == tag
            assert again.headers["cercles-as-of"] == first.headers["cercles-as-of"]
            assert "content-type" not in again.headers
        for unknown in ('"other"', tag.strip('"'), "", "x*"):
            assert api.get(url, headers={"if-none-match": unknown}).content == first.content


def test_whatever_changes_an_answer_changes_its_tag(stored: Stored, api: httpx.Client) -> None:
    """A new entry, and also what leaves the position as it was: a gap, a rebuild that counts otherwise, a filter."""
    stored.campaign()
    tags = [api.get("/v1/campaigns/film").headers["etag"]]
    stored.entries(1, [Line(2_000)])
    tags.append(api.get("/v1/campaigns/film").headers["etag"])
    stored.totals(gap_offset=2)
    tags.append(api.get("/v1/campaigns/film").headers["etag"])
    stored.totals(late_minor=1)
    tags.append(api.get("/v1/campaigns/film").headers["etag"])
    tags.append(api.get("/v1/campaigns/film/circles").headers["etag"])
    assert len(set(tags)) == len(tags)


def test_head_is_get_without_content(stored: Stored, api: httpx.Client) -> None:
    """The same status and headers, and no content."""
    stored.campaign()
    stored.entries(1, [Line(2_000)])
    for path in (*PATHS, "/nobody"):
        got, head = api.get(f"/v1/campaigns{path}"), api.head(f"/v1/campaigns{path}")
        assert (head.status_code, head.content) == (got.status_code, b"")
        without_date = [{k: v for k, v in response.headers.items() if k != "date"} for response in (got, head)]
        assert without_date[0] == without_date[1]


def test_head_can_be_conditional(stored: Stored, api: httpx.Client) -> None:
    """304, as for GET."""
    stored.campaign()
    tag = api.get("/v1/campaigns/film").headers["etag"]
    assert api.head("/v1/campaigns/film", headers={"if-none-match": tag}).status_code == 304


def test_errors_have_no_tag(api: httpx.Client) -> None:
    """`*` matches what exists only: an unknown campaign stays a 404."""
    response = api.get("/v1/campaigns/nobody", headers={"if-none-match": "*"})
    assert response.status_code == 404
    assert "etag" not in response.headers
