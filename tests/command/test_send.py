"""`cercles send` against a gateway over real HTTP."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from cercles.commands import app
from producers.sending import (
    ATTEMPTS_MAX,
    BATCH_BYTES_MAX,
    EVENT_BYTES_MAX,
    FIRST_CONNECTS_MAX,
    WAIT_SECONDS_MAX,
    Gateway,
    GatewayAwayError,
    Line,
    LineError,
    RefusedError,
    Sender,
    batches,
    read_lines,
)
from tests.command.gateways import SECRET, Answer, FakeGateway, serving

RUNNER = CliRunner()


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    with serving() as gateway:
        yield gateway


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client() as client:
        yield client


def some_lines(count: int) -> bytes:
    return b"".join(json.dumps({"id": f"e-{number}"}).encode() + b"\n" for number in range(count))


def a_file(directory: Path, content: bytes) -> str:
    path = directory / "events.jsonl"
    path.write_bytes(content)
    return str(path)


def sent(gateway: FakeGateway, file: str, *more: str, secret: str | None = SECRET) -> tuple[int, str, str]:
    """Run the command; return exit code, standard output and standard error."""
    arguments = ["send", file, "--source", "shop", "--gateway", gateway.url, *more]
    environment = {} if secret is None else {"CERCLES_SEND_SECRET": secret}
    result = RUNNER.invoke(app, arguments, env=environment)
    return result.exit_code, result.stdout, result.stderr


def test_a_file_is_signed_and_accepted_in_batches(gateway: FakeGateway, tmp_path: Path) -> None:
    """In the file's order; the summary has the number of events and where the last one stands."""
    code, out, _ = sent(gateway, a_file(tmp_path, some_lines(25)), "--batch-events", "10")
    assert (code, out) == (0, "25 events accepted; the last stands at 3:24\n")
    assert gateway.batches == [10, 10, 5]
    assert [event["id"] for event in gateway.accepted] == [f"e-{number}" for number in range(25)]
    assert set(gateway.paths) == {"/v1/sources/shop/events"}


def test_standard_input_is_a_file_too(gateway: FakeGateway) -> None:
    """As `-`, with the secret from the environment; progress does not get into the result."""
    command = [sys.executable, "-m", "cercles", "send", "-", "--source", "shop", "--gateway", gateway.url]
    environment = dict(os.environ) | {"CERCLES_SEND_SECRET": SECRET}
    done = subprocess.run(command, input=some_lines(3), env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"3 events accepted; the last stands at 3:2\n")


def test_the_secret_may_be_an_option(gateway: FakeGateway, tmp_path: Path) -> None:
    """Which wins over the environment."""
    code, _, _ = sent(gateway, a_file(tmp_path, some_lines(1)), "--secret", SECRET, secret="whsec_b3RoZXI=")
    assert code == 0


def test_an_empty_file_is_nothing_to_send(gateway: FakeGateway, tmp_path: Path) -> None:
    """Blank lines are none."""
    assert sent(gateway, a_file(tmp_path, b"\n\n"))[:2] == (0, "0 events accepted\n")


@pytest.mark.parametrize("secret", [None, "", "whsec_"])
def test_without_a_usable_secret_nothing_is_sent(gateway: FakeGateway, tmp_path: Path, secret: str | None) -> None:
    """Exit code 2 and what to set."""
    code, _, err = sent(gateway, a_file(tmp_path, some_lines(1)), secret=secret)
    assert code == 2
    assert "secret" in err
    assert not gateway.paths


def test_a_file_that_is_not_there_is_named(gateway: FakeGateway, tmp_path: Path) -> None:
    """Exit code 2: the command was called wrongly."""
    code, _, err = sent(gateway, str(tmp_path / "nowhere"))
    assert code == 2
    assert "nowhere: No such file" in err


def test_a_refused_batch_names_the_line_and_the_pointer(gateway: FakeGateway, tmp_path: Path) -> None:
    """The place inside the batch becomes the line of the file, blank lines counted."""
    problem = {"title": "Unprocessable", "detail": "amount_minor must be above 0", "pointer": "/1/data/amount_minor"}
    gateway.answers = [Answer(422, problem, {"content-type": "application/problem+json"})]
    code, out, err = sent(gateway, a_file(tmp_path, b"\n" + some_lines(3)))
    assert code == 1
    assert out == ""
    assert "line 3: HTTP 422: amount_minor must be above 0 (at /data/amount_minor)" in err
    assert len(gateway.paths) == 1, "a refusal is not tried again"


def test_what_was_accepted_before_a_bad_line_is_counted(gateway: FakeGateway, tmp_path: Path) -> None:
    """The batch before it stands; the line is named, without the gateway having been asked."""
    code, out, err = sent(gateway, a_file(tmp_path, some_lines(2) + b"[1]\n"), "--batch-events", "2")
    assert (code, out) == (1, "2 events accepted; the last stands at 3:1\n")
    assert "line 3: not a JSON object" in err


def test_a_gateway_that_is_away_is_exit_code_3(
    gateway: FakeGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a bounded number of attempts."""
    monkeypatch.setattr("producers.sending.WAIT_FIRST_SECONDS", 0.0)
    monkeypatch.setattr("producers.sending.ATTEMPTS_MAX", 3)
    gateway.answers = [Answer(503, headers={"retry-after": "0"})] * 3
    code, _, err = sent(gateway, a_file(tmp_path, some_lines(1)))
    assert code == 3
    assert "gave no final answer in 3 attempts; the last: HTTP 503" in err


def test_patience_is_as_long_as_asked_and_never_longer_than_the_bound(
    gateway: FakeGateway, client: httpx.Client
) -> None:
    """`Retry-After` of 503 and 429 is honored; each attempt is the same message, signed anew."""
    waits: list[float] = []
    gateway.answers = [
        Answer(503, headers={"retry-after": "7"}),
        Answer(429, headers={"retry-after": "86400"}),
        Answer(503),
    ]
    sender = Sender(Gateway(client, gateway.url, sleep=waits.append), "shop", SECRET)
    [accepted] = sender.send([Line(1, b'{"id": "e"}')])
    assert accepted.position == "3:0"
    assert waits == [7, WAIT_SECONDS_MAX, 2.0]
    assert len(set(gateway.message_ids)) == 1


def test_a_gateway_that_nobody_reaches_is_tried_a_bounded_number_of_times(client: httpx.Client) -> None:
    """Once, within seconds: nothing listens there; with growing waits if it has been reached before."""
    waits: list[float] = []
    sender = Sender(Gateway(client, "http://127.0.0.1:9", sleep=waits.append), "shop", SECRET)
    with pytest.raises(GatewayAwayError, match=r"nothing listens at http://127\.0\.0\.1:9"):
        sender.send([Line(1, b"{}")])
    assert len(waits) == FIRST_CONNECTS_MAX - 1
    assert sum(waits) < 5


def test_a_gateway_that_goes_away_is_waited_for() -> None:
    """Whoever has answered once is being restarted: as many attempts as there are, with growing waits."""
    waits: list[float] = []
    answers = iter([httpx.Response(202, json={"accepted": [{"id": "e", "position": "3:0"}]})])

    def answer(_: httpx.Request) -> httpx.Response:
        try:
            return next(answers)
        except StopIteration:
            raise httpx.ConnectError("connection refused") from None

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        sender = Sender(Gateway(client, "http://gateway", sleep=waits.append), "shop", SECRET)
        sender.send([Line(1, b"{}")])
        with pytest.raises(GatewayAwayError, match="ConnectError"):
            sender.send([Line(2, b"{}")])
    assert len(waits) == ATTEMPTS_MAX - 1
    assert waits == sorted(waits)
    assert max(waits) <= WAIT_SECONDS_MAX


def test_one_line_is_called_one_line(gateway: FakeGateway, client: httpx.Client) -> None:
    """Not lines 4 to 4."""
    gateway.answers = [Answer(401, {"detail": "no"})]
    with pytest.raises(RefusedError, match=r"^line 4: HTTP 401: no$"):
        Sender(Gateway(client, gateway.url), "shop", SECRET).send([Line(4, b"{}")])


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        ({"detail": "no"}, "lines 4 to 5: HTTP 401: no"),
        ({"title": "Unauthorized"}, "lines 4 to 5: HTTP 401: Unauthorized"),
        ({"detail": "no", "pointer": ""}, "lines 4 to 5: HTTP 401: no"),
        ({"detail": "no", "pointer": "/7/id"}, r"lines 4 to 5: HTTP 401: no \(at /7/id\)"),
        (None, "lines 4 to 5: HTTP 401 Unauthorized"),
    ],
)
def test_any_refusal_is_told_with_what_it_has(
    gateway: FakeGateway, client: httpx.Client, problem: dict[str, str] | None, words: str
) -> None:
    """Also one without a pointer, with one that leads nowhere, and one that is no problem document at all."""
    gateway.answers = [Answer(401, problem)]
    with pytest.raises(RefusedError, match=words):
        Sender(Gateway(client, gateway.url), "shop", SECRET).send([Line(4, b"{}"), Line(5, b"{}")])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"id": 1', "line 2: not a JSON object"),
        (b'"text"', "line 2: not a JSON object"),
        (b'{"id": "\xff"}', "line 2: not a JSON object"),
        (b'{"id": "' + b"x" * EVENT_BYTES_MAX + b'"}', "line 2: larger than 65536 bytes"),
    ],
)
def test_a_line_that_no_gateway_takes_is_found_before_it_is_sent(content: bytes, words: str) -> None:
    """With its number; a line without end is not read to its end."""
    with pytest.raises(LineError, match=words):
        list(read_lines(io.BytesIO(b"{}\n" + content + b"\n")))


def test_a_batch_is_never_larger_than_a_gateway_takes() -> None:
    """Neither in events nor in bytes, brackets and commas included; and nothing is left out."""
    lines = [Line(number, b'{"id": "' + b"x" * (EVENT_BYTES_MAX - 10) + b'"}') for number in range(40)]
    found = list(batches(lines, 100))
    assert all(2 + sum(len(line.content) + 1 for line in batch) <= BATCH_BYTES_MAX for batch in found)
    assert [line.number for batch in found for line in batch] == list(range(40))
    assert [len(batch) for batch in batches([Line(n, b"{}") for n in range(7)], 3)] == [3, 3, 1]
