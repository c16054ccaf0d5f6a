"""docs/topics.md says of every topic who owns, writes and reads it, what is on it, and shows examples."""

from pathlib import Path

import pytest

from schemas import topics_page
from schemas.topics import TOPICS, Topic


def test_page_is_what_the_declarations_say() -> None:
    """The page in the repository is the page that would be written."""
    assert topics_page.main(["--check"]) == 0


def test_difference_is_shown_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An edited or missing page is found, and the words say what to run."""
    page = tmp_path / "topics.md"
    assert topics_page.main(["--check"], page) == 1
    page.write_text(topics_page.page().replace("campaign id", "pledge id", 1), encoding="utf-8")
    assert topics_page.main(["--check"], page) == 1
    said = capsys.readouterr().err
    assert "-| key | pledge id |" in said
    assert "run python -m schemas.topics_page" in said


def test_written_page_passes_the_check(tmp_path: Path) -> None:
    """Writing and checking agree."""
    page = tmp_path / "topics.md"
    assert topics_page.main([], page) == 0
    assert topics_page.main(["--check"], page) == 0


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_topic_has_an_owner_and_its_records_have_examples(topic: Topic) -> None:
    """A topic that is declared is on the page, whole."""
    section = topics_page.page().partition(f"## {topic.name}\n")[2].partition("\n## ")[0]
    for fact in ("holds", "key", "owner", "producers", "consumers", "configuration"):
        assert f"| {fact} | " in section
    for record in topics_page.RECORDS[topic.name]:
        (row,) = [line for line in section.splitlines() if line.startswith(f"| [{record}]")]
        assert "/valid-" in row
