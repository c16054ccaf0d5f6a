"""The data directory: secrets, and one supervisor at a time."""

import stat
from pathlib import Path

import pytest

from cercles.data_directory import DataDirectory, DataDirectoryError
from producers.settings import SourceSecrets


def test_secrets_are_made_once_and_are_nobody_elses(tmp_path: Path) -> None:
    """A secret stays the same, differs from every other, is one that sources take, and only its owner can read it."""
    directory = DataDirectory(tmp_path / "data")
    with directory.held():
        secret = directory.secret("source_shop")
        assert DataDirectory(tmp_path / "data").secret("source_shop") == secret
        assert directory.secret("admin_key") != secret
    SourceSecrets.model_validate({"current": secret})
    assert stat.S_IMODE(directory.secret_path("source_shop").stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.secrets.stat().st_mode) == 0o700


def test_a_secret_half_written_is_made_anew(tmp_path: Path) -> None:
    """What a crash left behind does not stand in the way."""
    directory = DataDirectory(tmp_path)
    with directory.held():
        (directory.secrets / "admin_key.draft").write_text("whs")
        assert directory.secret("admin_key").startswith("whsec_")


def test_two_supervisors_do_not_share_a_directory(tmp_path: Path) -> None:
    """The second one is told which directory, and what to do; when the first is gone it can have it."""
    with DataDirectory(tmp_path).held(), pytest.raises(DataDirectoryError, match="--data"):
        DataDirectory(tmp_path).held().__enter__()
    with DataDirectory(tmp_path).held():
        pass


def test_a_directory_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    """Nothing is written into it; one that has held data before is taken, whatever else is in it."""
    (tmp_path / "thesis.tex").write_text("everything")
    with pytest.raises(DataDirectoryError, match="not empty, and holds no data of Cercles"):
        DataDirectory(tmp_path).held().__enter__()
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]
    (tmp_path / "lock").touch()
    with DataDirectory(tmp_path).held():
        pass


def test_a_directory_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    """A file stands in its place."""
    (tmp_path / "data").write_text("not a directory")
    with pytest.raises(DataDirectoryError, match="data"):
        DataDirectory(tmp_path / "data").held().__enter__()
