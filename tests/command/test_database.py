"""`cercles db` on a database of its own."""

from pathlib import Path

from typer.testing import CliRunner, Result

from cercles.commands import app


def db(command: str, url: str) -> Result:
    return CliRunner().invoke(app, ["db", command], env={"CERCLES_DATABASE_URL": url})


def test_tables_are_made_checked_and_left_alone(tmp_path: Path) -> None:
    """Before: none and not right. Afterwards: a revision, right, and nothing more to do."""
    url = f"sqlite:///{tmp_path / 'rows.db'}"
    assert db("current", url).stdout == "none\n"
    assert db("check", url).exit_code == 1
    assert "there is no database" in db("check", url).stderr
    assert not (tmp_path / "rows.db").exists(), "who only looks makes nothing"
    assert "cercles db upgrade" in db("check", url).stderr
    made = db("upgrade", url)
    assert made.exit_code == 0
    assert made.stdout.startswith("from revision none to ")
    assert db("check", url).exit_code == 0
    assert db("upgrade", url).stdout.endswith("already\n")
    assert db("current", url).stdout.strip() in made.stdout


def test_a_database_out_of_reach_is_exit_code_3() -> None:
    """One line says what; the password is not among it."""
    found = db("check", "postgresql+psycopg://cercles:hunter2@127.0.0.1:9/cercles")
    assert found.exit_code == 3
    assert "the database: " in found.stderr
    assert "hunter2" not in found.stderr
