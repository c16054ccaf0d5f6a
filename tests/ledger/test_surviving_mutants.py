"""The list of mutants that may live, and the report of a mutation run."""

from pathlib import Path

import pytest

import stream_processors.ledger
from tests.ledger import surviving_mutants
from tests.ledger.surviving_mutants import Mutation, explained, function_of, mutation_of, report

LEDGER = Path(stream_processors.ledger.__path__[0])
ADD = Mutation("backers.Backers.add", "before", "after")
NAME = "stream_processors.ledger.backers.xǁBackersǁadd__mutmut_4"


def test_every_explanation_is_of_code_that_stands() -> None:
    """A change of the code takes its explanations along: they name a function, and lines that it has."""
    for mutation, reason in explained().items():
        module, *_, function = mutation.function.split(".")
        lines = [line.strip() for line in (LEDGER / f"{module}.py").read_text(encoding="utf-8").splitlines()]
        assert any(line.startswith(f"def {function}(") for line in lines), mutation
        assert set(mutation.before.splitlines()) <= set(lines), mutation
        assert mutation.before != mutation.after
        assert reason.strip()


def test_a_mutation_explained_twice_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the two reasons would never be read."""
    one = '[[survivor]]\nfunction = "facts.capture"\nreason = "r"\nchanges = [{ before = "a", after = "b" }]\n'
    monkeypatch.setattr(surviving_mutants, "LIST", tmp_path / "list.toml")
    (tmp_path / "list.toml").write_text(one)
    assert explained() == {Mutation("facts.capture", "a", "b"): "r"}
    (tmp_path / "list.toml").write_text(one + one)
    with pytest.raises(ValueError, match="listed twice"):
        explained()


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("stream_processors.ledger.facts.x_capture__mutmut_12", "facts.capture"),
        ("stream_processors.ledger.facts.x__weigh__mutmut_1", "facts._weigh"),
        ("stream_processors.ledger.batch.xǁ_Storyǁ_cut_if_large__mutmut_1", "batch._Story._cut_if_large"),
        (NAME, "backers.Backers.add"),
    ],
)
def test_a_mutants_name_tells_its_function(name: str, function: str) -> None:
    """Its number alone is left aside: it changes with every line above."""
    assert function_of(name) == function


def test_a_difference_tells_the_mutation() -> None:
    """Its lines before and after; a removed line has nothing after."""
    difference = "# name: survived\n--- a.py\n+++ a.py\n@@ -1,2 +1,2 @@\n     kept\n-    a == b\n+    a != b\n"
    assert mutation_of(NAME, difference) == Mutation("backers.Backers.add", "a == b", "a != b")
    assert mutation_of(NAME, "--- a.py\n+++ a.py\n-    gone,\n") == Mutation("backers.Backers.add", "gone,", "")


def test_a_survivor_without_a_reason_fails_the_run() -> None:
    """It is shown with its change."""
    words, fine = report({NAME: "survived", "other": "killed"}, {NAME: ADD}, {})
    assert not fine
    assert words.splitlines()[-3:] == [f"{NAME}: survived", "  - before", "  + after"]
    assert report({NAME: "survived", "other": "killed"}, {NAME: ADD}, {ADD: "reason"})[1]


def test_a_reason_without_a_survivor_fails_the_run_that_tried_everything() -> None:
    """Whoever kills a mutant takes its reason off the list; a run of some mutants cannot tell."""
    words, fine = report({NAME: "killed"}, {}, {ADD: "reason"})
    assert not fine
    assert "backers.Backers.add: explained in surviving_mutants.toml, and no longer alive" in words
    assert report({NAME: "killed", "other": "not checked"}, {}, {ADD: "reason"})[1]


def test_a_run_without_mutants_fails() -> None:
    """Nothing was tried."""
    assert not report({}, {}, {})[1]
