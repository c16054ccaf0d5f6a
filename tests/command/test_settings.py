"""The page of the settings, and the words for settings that are wrong."""

import pytest
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from cercles.reference import settings as settings_page
from cercles.settings_faults import explain


class FakeSettings(BaseSettings):
    """Settings of a test."""

    model_config = SettingsConfigDict(env_prefix="CERCLES_FAKE_")

    port: int = Field(default=1, ge=0, description="Port to listen on.")
    key: SecretStr = Field(min_length=8, description="Who may come in")
    names: dict[str, str] = Field(default={}, description="Names by id")


def faults(monkeypatch: pytest.MonkeyPatch, **environment: str) -> list[str]:
    for name, value in environment.items():
        monkeypatch.setenv(f"CERCLES_FAKE_{name}", value)
    try:
        FakeSettings()  # type: ignore[call-arg]  # from the environment
    except (ValidationError, SettingsError) as fault:
        return explain(fault)
    raise AssertionError("nothing was wrong")


def test_what_is_missing_is_named_with_its_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    """And where the whole table stands."""
    [line] = faults(monkeypatch)
    assert line.startswith("CERCLES_FAKE_KEY is not set. It is needed: Who may come in.")
    assert "docs/reference/settings.md" in line


def test_what_is_wrong_is_shown_but_never_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line for each fault."""
    port, key = faults(monkeypatch, PORT="-1", KEY="hunter2")
    assert port == (
        "CERCLES_FAKE_PORT: Input should be greater than or equal to 0 (it is '-1'). It means: Port to listen on"
    )
    assert key.startswith("CERCLES_FAKE_KEY: ")
    assert "hunter2" not in key


def test_a_mapping_that_is_not_json_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what its form should be."""
    [line] = faults(monkeypatch, KEY="long enough", NAMES="{nonsense")
    assert '"names"' in line
    assert "JSON" in line


def test_the_table_has_every_setting_of_every_folder() -> None:
    """Each class is in it, each variable once; secrets are marked."""
    page = settings_page.page()
    kinds = settings_page.settings_classes()
    assert {kind.__module__.partition(".")[0] for kind in kinds} == {
        "schemas",
        "cercles",
        "producers",
        "stream_processors",
        "sinks",
        "readers",
    }
    variables = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")]
    assert len(variables) == len(set(variables))
    assert all(variable.startswith("CERCLES_") for variable in variables)
    assert "| `CERCLES_GATEWAY_ADMIN_KEY` *(secret)* | text | needed |" in page


def test_every_setting_says_what_it_means() -> None:
    """No row of the table ends in an empty cell."""
    assert [
        line for line in settings_page.page().splitlines() if line.startswith("| `") and line.endswith("|  |")
    ] == []
