"""What the pages say can be done as they say it: commands exist, links lead somewhere."""

import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import pytest
import typer.main

from cercles.commands import app
from schemas.events import CampaignAmendedData, CampaignLaunchedData, Decoding, PledgeCaptured, SharePostedData
from tests.project.documents import ROOT, code_blocks, markdown_files, prose, setting_variables, tracked_files

LINK: Final = re.compile(r"\[[^]]*\]\((?P<target>[^)\s]+)\)")
HEADING: Final = re.compile(r"^#+ (?P<words>.+?)\s*$", re.MULTILINE)
MENTION: Final = re.compile(
    r"`(?P<path>(?:cercles|docs|ops|producers|readers|schemas|sinks|stream_processors|tests)/[^`\s]*)`"
)
HERE_DOCUMENT: Final = re.compile(r" <<(?P<end>[A-Z]+)\n(?P<lines>.*?)^(?P=end)$", re.MULTILINE | re.DOTALL)
BINARY: Final = frozenset({".png", ".jpg", ".gif", ".svg", ".ico"})


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def shell_lines(page: Path) -> Iterator[list[str]]:
    """Return the words of each command in a page's shell blocks."""
    for block in code_blocks(page.read_text(encoding="utf-8"), "sh", "console"):
        uncommented = re.sub(r"(^|\s)#.*$", "", HERE_DOCUMENT.sub("", block), flags=re.MULTILINE)
        lexer = shlex.shlex(uncommented.replace("\\\n", " "), posix=True, punctuation_chars="|>;&\n")
        lexer.whitespace, lexer.whitespace_split = " \t", True
        for ends, words in itertools.groupby(lexer, lambda word: not set(word) - set("|>;&\n")):
            command = [] if ends else list(words)
            while command and re.match(r"\w+=", command[0]):
                command = command[1:]
            if command:
                yield command


def commands() -> dict[str, set[str]]:
    """Return the options of each `cercles …` command, those of the commands within it among them."""
    group = typer.main.get_command(app)
    return {
        name: {
            option
            for one in (command, *getattr(command, "commands", {}).values())
            for parameter in one.params
            for option in parameter.opts
        }
        for name, command in getattr(group, "commands", {}).items()
    }


def fault_of(words: list[str], known: dict[str, set[str]]) -> str | None:
    """Return what is wrong with a command of a page, or None."""
    program = words[0].removeprefix(".venv/bin/")
    if program == "make" and (missing := {word for word in words[1:] if "=" not in word} - targets()):
        return f"make has no target {missing}"
    if program == "cercles":
        if len(words) == 1 or words[1] not in known:
            return f"{words[:2]} is no command"
        options = {word.partition("=")[0] for word in words[2:] if word.startswith("--")}
        if unknown := options - known[words[1]] - {"--help"}:
            return f"cercles {words[1]} has no option {unknown}"
    if program == "cp" and not (ROOT / words[1]).exists():
        return f"{words[1]} does not exist"
    if program in {"sh", "bash"} and not (ROOT / words[1]).exists():
        return f"{words[1]} does not exist"
    return None


@pytest.mark.parametrize("page", markdown_files(), ids=relative)
def test_commands_of_a_page_exist(page: Path) -> None:
    """Whoever pastes a line of the documentation gets what it promises, not `no such command`."""
    known = commands()
    assert [fault for words in shell_lines(page) if (fault := fault_of(words, known))] == []


def test_readme_shows_the_two_commands() -> None:
    """The first two commands of the README are the two that do everything."""
    first = [" ".join(words) for words in shell_lines(ROOT / "README.md") if words[0] == "make"][:2]
    assert first == ["make demo", "make test"]


def test_variables_that_the_pages_name_exist() -> None:
    """A setting that a page speaks of is one that a process reads."""
    known = setting_variables()
    for page in markdown_files():
        named = set(re.findall(r"\bCERCLES_[A-Z_]*[A-Z]\b(?!_)", page.read_text(encoding="utf-8")))
        assert named - known == set(), relative(page)


def anchors(page: Path) -> set[str]:
    """Return the anchors that a page's headings get where Markdown is shown."""
    headings = HEADING.findall(prose(page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-") for words in headings}


@pytest.mark.parametrize("page", markdown_files(), ids=relative)
def test_links_within_the_project_lead_somewhere(page: Path) -> None:
    """The file is there, and has the heading."""
    broken = []
    for link in LINK.finditer(prose(page.read_text(encoding="utf-8"))):
        target, _, heading = link["target"].partition("#")
        if re.match(r"\w+:", target):
            continue
        file = (page.parent / target).resolve() if target else page
        if not file.exists() or (heading and heading not in anchors(file)):
            broken.append(link["target"])
    assert broken == []


@pytest.mark.parametrize("page", markdown_files(), ids=relative)
def test_files_that_a_page_speaks_of_exist(page: Path) -> None:
    """A page that names a file is changed with it."""
    named = {mention["path"] for mention in MENTION.finditer(prose(page.read_text(encoding="utf-8")))}
    assert [path for path in sorted(named) if not re.search(r"[*…A-Z{<]", path) and not (ROOT / path).exists()] == []


def test_pages_are_linked_from_the_readme_or_from_another() -> None:
    """Nobody finds a page that no page leads to."""
    linked = {
        (page.parent / link["target"].partition("#")[0]).resolve()
        for page in markdown_files()
        for link in LINK.finditer(prose(page.read_text(encoding="utf-8")))
    }
    alone = {page for page in markdown_files() if page.is_relative_to(ROOT / "docs")} - linked
    assert sorted(map(relative, alone)) == []


def texts() -> Iterator[tuple[Path, str]]:
    for path in tracked_files():
        if path.suffix not in BINARY and path != Path(__file__):
            yield path, path.read_text(encoding="utf-8")


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    """The project speaks only of itself, and runs wherever it is cloned."""
    private = re.compile(r"(?<![\w./-])/(?:work|home|root|Users|mnt)/\w+")
    assert [f"{relative(path)}: {found[0]}" for path, text in texts() if (found := private.search(text))] == []


def test_what_is_left_to_do_says_why() -> None:
    """`TODO: what, because why`: without the reason nobody dares to do it or to drop it."""
    bare = re.compile(r"(?:#|//|--)\s*(?:TODO|FIXME|XXX|HACK)\b(?!: .+ because )")
    assert [f"{relative(path)}: {found[0]}" for path, text in texts() if (found := bare.search(text))] == []


def test_events_and_terms_of_the_readme_are_taken() -> None:
    """What the README sends, the doors take: the JSON in its shell blocks is decoded as they do it."""
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = "\n".join(code_blocks(page, "sh"))
    bodies = [msgspec.json.decode(body) for body in re.findall(r"-d '(\{.*?\})'", blocks, re.DOTALL)]
    terms, share, amendment = (body | {"campaign_id": "my-film"} for body in bodies)
    msgspec.convert(terms, CampaignLaunchedData)
    msgspec.convert(amendment, CampaignAmendedData)
    msgspec.convert(share | {"share_token": "token"}, SharePostedData)
    [events] = HERE_DOCUMENT.finditer(blocks)
    [event] = (Decoding.door.decode(line.replace("$token", "token")) for line in events["lines"].splitlines())
    assert isinstance(event, PledgeCaptured)
    assert event.data.share_token == "token"
