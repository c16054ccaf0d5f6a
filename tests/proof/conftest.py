"""A log in the hands of the test."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.proof.stage import Stage, many_stories
from tests.proof.traffic import Traffic


@pytest.fixture
def stage(topics: str) -> Iterator[Stage]:
    """An empty log."""
    with Stage(topics) as opened:
        yield opened


@pytest.fixture
def told(stage: Stage, engine: Engine) -> Stage:
    """Eight campaigns, folded and stored."""
    stage.append(many_stories(8, 20))
    stage.work()
    stage.sink(engine)
    return stage


@pytest.fixture
def traffic(topics: str) -> Iterator[Traffic]:
    """Events that keep coming."""
    coming = Traffic(topics)
    yield coming
    coming.close()
