"""Hold what a mutation run left alive against `surviving_mutants.toml`, the list of what may live, with reasons.

`ops/mutants.sh` runs it where mutmut has run. It prints the figures, every survivor that the list does not explain, and
every explanation that no survivor needs any more; the exit code is 1 if there is either.
"""

import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from typing import Final, NamedTuple

LIST: Final = Path(__file__).with_suffix(".toml")

_FOLDS: Final = "stream_processors."
_LEDGER: Final = "stream_processors.ledger."
_UNTRIED: Final = "not checked"
_DEAD: Final = "killed"
"""A test failed. Anything else (no test ran it, or the machine was too busy to tell) is as bad as alive."""


class Mutation(NamedTuple):
    """A change of one function: its lines before and after, without indentation."""

    function: str
    """As `facts.capture` or `backers.Backers.add`; of the resolver as `resolver.fold.resolve`."""
    before: str
    after: str


def explained() -> dict[Mutation, str]:
    """Return what may live, and why. Raises ValueError for a mutation that is listed twice."""
    found: dict[Mutation, str] = {}
    for survivor in tomllib.loads(LIST.read_text(encoding="utf-8"))["survivor"]:
        for change in survivor["changes"]:
            mutation = Mutation(survivor["function"], _plain(change["before"]), _plain(change["after"]))
            if mutation in found:
                raise ValueError(f"{mutation} is listed twice")
            found[mutation] = survivor["reason"]
    return found


def function_of(name: str) -> str:
    """Return the function that mutmut's name of a mutant is about."""
    module, _, mutant = name.removeprefix(_LEDGER).removeprefix(_FOLDS).rpartition(".")
    function = mutant.rpartition("__mutmut_")[0]
    return f"{module}.{function.removeprefix('xǁ').replace('ǁ', '.') if 'ǁ' in function else function[2:]}"


def mutation_of(name: str, difference: str) -> Mutation:
    """Return the mutation that a unified difference shows."""
    lines = [line for line in difference.splitlines() if not line.startswith(("---", "+++"))]
    before, after = ("\n".join(line[1:] for line in lines if line.startswith(sign)) for sign in "-+")
    return Mutation(function_of(name), _plain(before), _plain(after))


def _plain(lines: str) -> str:
    return "\n".join(line.strip() for line in lines.strip().splitlines())


def _mutmut(*arguments: str) -> str:
    return subprocess.run(["mutmut", *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


def _statuses() -> dict[str, str]:
    """Return what became of each mutant."""
    lines = [line.strip().rpartition(": ") for line in _mutmut("results", "--all", "true").splitlines()]
    return {name: status for name, _, status in lines if name}


def report(statuses: dict[str, str], alive: dict[str, Mutation], reasons: dict[Mutation, str]) -> tuple[str, bool]:
    """Return the figures and what is wrong, for people, and whether nothing is."""
    counts = Counter(statuses.values())
    unexplained = {name: mutation for name, mutation in alive.items() if mutation not in reasons}
    # What was not tried may be what an explanation is for.
    needless = [] if counts[_UNTRIED] else [mutation for mutation in reasons if mutation not in alive.values()]
    lines = [f"{len(statuses):6} mutants"]
    lines += [f"{count:6} {status}" for status, count in counts.most_common()]
    lines += [f"{len(alive) - len(unexplained):6} alive and explained, {len(unexplained)} alive and not"]
    for name, mutation in unexplained.items():
        lines += ["", f"{name}: {statuses[name]}", *_shown(mutation)]
    for mutation in needless:
        lines += ["", f"{mutation.function}: explained in {LIST.name}, and no longer alive", *_shown(mutation)]
    return "\n".join(lines) + "\n", bool(statuses) and not unexplained and not needless


def _shown(mutation: Mutation) -> list[str]:
    return [
        f"  {sign} {line}"
        for sign, lines in (("-", mutation.before), ("+", mutation.after))
        for line in lines.splitlines()
    ]


def main() -> int:
    """Report on the run in the present directory."""
    statuses = _statuses()
    alive = [name for name, status in statuses.items() if status not in (_DEAD, _UNTRIED)]
    mutations = {name: mutation_of(name, _mutmut("show", name)) for name in alive}
    words, fine = report(statuses, mutations, explained())
    sys.stdout.write(words)
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
