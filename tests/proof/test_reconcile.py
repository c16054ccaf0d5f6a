"""`cercles reconcile`: the gateway's list and the ledger's captures, and nothing guessed about either."""

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from cercles.commands import app
from cercles.reconciliation.payments import BadLine, FileError, Payment, Reading, log_id, read_payments
from schemas.events import encode
from tests.ledger.events import NOON, capture, launch
from tests.proof.stage import Stage

HEADER = "id,amount,currency,status\n"


def read(text: str | bytes, **how: Any) -> list[Payment | BadLine]:
    content = text.encode() if isinstance(text, str) else text
    return list(read_payments(io.BytesIO(content), Reading(**({"form": "csv", "amounts": "minor"} | how))))


def test_csv_is_read_by_the_names_of_its_columns() -> None:
    """In any order and case, with others between, quoted, and with the mark that spreadsheets put first."""
    text = '\ufeffStatus,Note,ID,Currency,Amount\r\nsucceeded,"a, b\nc",ch_1,eur,1250\r\n\r\nFailed,,ch_2,JPY,30\r\n'
    assert read(text, prefix="stripe:") == [
        Payment(3, "stripe:ch_1", 1250, "EUR", "succeeded", True),
        Payment(5, "stripe:ch_2", 30, "JPY", "failed", False),
    ]


def test_json_lines_keep_their_numbers_as_they_are_written() -> None:
    """A number is its digits, never a float."""
    text = (
        '{"id":"a","amount":12.10,"currency":"EUR","status":"paid","x":[1]}\n\n'
        '{"id":"b","amount":"7","currency":"JPY","status":"paid"}'
    )
    assert read(text, form="jsonl", amounts="major") == [
        Payment(1, "a", 1210, "EUR", "paid", True),
        Payment(3, "b", 7, "JPY", "paid", True),
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a,12.50,EUR,paid", "--amounts major"),
        ("a,1e3,EUR,paid", "--amounts major"),
        ('a,"1,250",EUR,paid', "not a whole number"),
        ("a,-5,EUR,paid", "not a whole number"),
        ("a,0,EUR,paid", "not above 0"),
        ("a,12,EURO,paid", "not an active ISO 4217"),
        ("a,12,EUR,teleported", "'teleported' is not known"),
        (",12,EUR,paid", "no id"),
        ("a,12,EUR,", "no status"),
        ("a,12,EUR", "3 fields, but the first line has 4"),
        ("a\x07,12,EUR,paid", "no text"),
    ],
)
def test_a_bad_line_is_named_and_the_next_is_read(line: str, words: str) -> None:
    """With its number and what is wrong."""
    bad, good = read(f"{HEADER}{line}\nb,1,EUR,paid\n")
    assert isinstance(bad, BadLine)
    assert bad.line == 2
    assert words in bad.reason
    assert isinstance(good, Payment)


@pytest.mark.parametrize(
    "line", ["[]", "{", '{"id":1.5}', '{"id":"a","amount":null,"currency":"EUR","status":"paid"}', "\ud800"]
)
def test_a_line_that_is_no_payment_in_json_is_named(line: str) -> None:
    """Whatever it is."""
    (bad,) = read(line.encode(errors="surrogatepass"), form="jsonl")
    assert isinstance(bad, BadLine)


def test_major_units_have_no_more_digits_than_the_currency() -> None:
    """Nothing is rounded."""
    found = read(f"{HEADER}a,12.5,EUR,paid\nb,12.505,EUR,paid\nc,12.505,TND,paid\nd,1.0,JPY,paid\n", amounts="major")
    assert [getattr(one, "amount_minor", None) for one in found] == [1250, None, 12505, None]


@pytest.mark.parametrize("text", ["", "id,amount,currency\n", "id,id,amount,currency,status\n", HEADER + 'a,"1,EUR'])
def test_a_file_without_the_columns_is_refused_whole(text: str) -> None:
    """Before anything is compared."""
    with pytest.raises(FileError):
        read(text)


@given(st.binary(max_size=300), st.sampled_from(["csv", "jsonl"]))
def test_whatever_the_file_holds_is_a_line_or_a_refusal(content: bytes, form: Any) -> None:
    """No content is an error of the program."""
    try:
        found = read(HEADER.encode() + content if form == "csv" else content, form=form)
    except FileError:
        return
    assert all(isinstance(one, Payment | BadLine) for one in found)


def test_a_gateways_id_is_prefixed_once() -> None:
    """A list that was taken from the log itself is read as well; Stripe's long ids are hashed as at its door."""
    assert log_id("ch_1", "stripe:") == log_id("stripe:ch_1", "stripe:") == "stripe:ch_1"
    assert log_id("ch_1", "") == "ch_1"
    assert log_id("x" * 255, "stripe:").startswith("stripe:sha256:")


@pytest.fixture
def cercles(topics: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Runs `cercles reconcile` on a list and returns what came of it."""
    monkeypatch.setenv("CERCLES_KAFKA_BOOTSTRAP_SERVERS", topics)

    def run(text: str, *options: str, name: str = "payments.csv") -> Result:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return CliRunner().invoke(app, ["reconcile", str(path), *options])

    return run


@pytest.fixture
def taken(stage: Stage) -> Stage:
    """Captures of two campaigns through Stripe, one of another gateway, and one refused."""
    events = [
        launch(campaign="one"),
        launch(campaign="two"),
        capture("p", 1250, capture_id="stripe:ch_1", campaign="one"),
        capture("p", 1250, capture_id="stripe:ch_1", campaign="one"),
        capture("q", 700, capture_id="stripe:ch_2", campaign="two", at=NOON + timedelta(days=3)),
        capture("r", 900, capture_id="stripe:ch_3", currency="USD", campaign="two"),
        capture("s", 50, capture_id="till-1", campaign="two"),
    ]
    stage.append((event.data.campaign_id, encode(event)) for event in events)
    return stage


LIST = HEADER + "ch_1,1250,eur,succeeded\nch_2,700,eur,refunded\nch_9,4,eur,canceled\n"


def test_equal_lists_are_equal(taken: Stage, cercles: Any) -> None:  # noqa: ARG001
    """A payment that was refunded later was taken; one that was not taken needs no capture."""
    result = cercles(LIST, "--source", "stripe")
    assert result.exit_code == 0, result.output
    assert result.stdout == "equal: 3 payments there, 2 captures here\n"


def test_every_difference_is_named(taken: Stage, cercles: Any) -> None:  # noqa: ARG001
    """Missing here with its dead letter, missing there with its pledge; amount, currency and status."""
    text = HEADER + "ch_1,1251,eur,succeeded\nch_3,900,usd,succeeded\nch_4,5,eur,succeeded\n"
    result = cercles(text, "--source", "stripe:", "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    found = {(one["kind"], one["payment_id"]): one for one in report["differences"]}
    assert set(found) == {
        ("amount", "stripe:ch_1"),
        ("missing_here", "stripe:ch_3"),
        ("missing_here", "stripe:ch_4"),
        ("missing_there", "stripe:ch_2"),
    }
    assert "currency_mismatch" in found["missing_here", "stripe:ch_3"]["hint"]
    assert found["missing_there", "stripe:ch_2"]["pledge_id"] == "q"
    assert report["equal"] is False
    in_words = cercles(HEADER + "ch_1,1250,usd,paid\nch_2,700,eur,failed\n", "--source", "stripe").stdout
    assert "line 2: stripe:ch_1: currency: 12.50 USD there, 12.50 EUR here, campaign one, pledge p" in in_words
    assert "line 3: stripe:ch_2: status: failed there, 7.00 EUR captured here, campaign two, pledge q" in in_words


def test_captures_outside_of_the_time_need_not_be_listed(taken: Stage, cercles: Any) -> None:  # noqa: ARG001
    """But what is listed is compared, whenever it was made."""
    text = HEADER + "ch_1,1250,eur,succeeded\n"
    assert cercles(text, "--source", "stripe", "--until", "2026-03-11T00:00Z").exit_code == 0
    assert cercles(text, "--source", "stripe", "--until", "2026-03-20T00:00Z").exit_code == 1
    assert cercles(text, "--source", "stripe", "--since", "2026-03-14T00:00Z").exit_code == 0


def test_amounts_in_the_wrong_unit_are_suspected(taken: Stage, cercles: Any) -> None:  # noqa: ARG001
    """Where all differ by the same hundred, the flag is wrong, not the money."""
    result = cercles(HEADER + "ch_2,7,eur,paid\nch_1,1250,eur,paid\n", "--source", "stripe")
    assert result.exit_code == 1
    assert "look at --amounts" in result.stderr
    assert (
        cercles(
            HEADER + "ch_2,7.00,eur,paid\nch_1,12.5,eur,paid\n", "--source", "stripe", "--amounts", "major"
        ).exit_code
        == 0
    )


def test_a_payment_listed_twice_must_say_the_same(taken: Stage, cercles: Any) -> None:  # noqa: ARG001
    """The same again is no matter; with other content, nobody knows which is right."""
    assert cercles(LIST + "ch_1,1250,EUR,succeeded\n", "--source", "stripe").exit_code == 0
    result = cercles(LIST + "ch_1,9,EUR,succeeded\n", "--source", "stripe")
    assert result.exit_code == 1
    assert "line 5: stripe:ch_1 stands on line 2 with other content" in result.stdout


def test_a_capture_in_two_campaigns_is_named(taken: Stage, cercles: Any) -> None:
    """Its money cannot be in both."""
    twice = capture("p", 1250, capture_id="stripe:ch_1", campaign="two")
    taken.append([("two", encode(twice))])
    result = cercles(LIST, "--source", "stripe")
    assert "stripe:ch_1: several campaigns (it counts in one two)" in result.stdout


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("payments.txt", [], "--format"),
        ("payments.csv", ["--taken", "failed"], "both"),
        ("payments.csv", ["--since", "yesterday"], "offset"),
        ("payments.jsonl", ["--format", "csv", "--amounts", "cents"], "cents"),
    ],
)
def test_what_is_asked_wrongly_ends_with_2(cercles: Any, name: str, options: list[str], words: str) -> None:
    """With words, before anything is read."""
    result = cercles(LIST, *options, name=name)
    assert result.exit_code == 2
    assert words in result.stderr


def test_further_statuses_can_be_named(taken: Stage, cercles: Any) -> None:  # noqa: ARG001
    """A gateway's own words for money taken and not taken."""
    text = HEADER + "ch_1,1250,eur,Bezahlt\nch_2,700,eur,bezahlt\nch_7,1,eur,offen\n"
    assert cercles(text, "--source", "stripe").exit_code == 1
    assert cercles(text, "--source", "stripe", "--taken", "bezahlt", "--not-taken", "offen").exit_code == 0
