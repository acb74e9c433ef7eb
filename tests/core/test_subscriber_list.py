"""Lists of people as spreadsheets write them: what is good is read, what is bad costs its own line only."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.core.errors import InputError
from alerts.core.model import Frequency
from alerts.core.subscriber_list import LONGEST_LINE, Problem, Remark, Row, read_list, write_cell

ZONES = frozenset({"UTC", "Europe/Berlin"})


def lines_of(text: str) -> Iterator[str]:
    """Hand the text over as a file would: in lines, long ones in pieces."""
    stream = io.StringIO(text, newline=None)
    return iter(lambda: stream.readline(LONGEST_LINE), "")


def read(text: str) -> list[Row | Problem | Remark]:
    return list(read_list(lines_of(text), known_zones=ZONES))


def rows(found: Iterable[Row | Problem | Remark]) -> list[tuple[int, str]]:
    return [(one.line, one.request.person.address.email) for one in found if isinstance(one, Row)]


def problems(found: Iterable[Row | Problem | Remark]) -> list[tuple[int, str]]:
    return [(one.line, one.reason) for one in found if isinstance(one, Problem)]


def test_every_column_is_read() -> None:
    (row,) = read("email,name,language,time_zone,frequency\nalice@example.com,Alice,en,Europe/Berlin,Daily\n")
    assert isinstance(row, Row)
    person = row.request.person
    assert (row.line, person.address.email, person.name) == (2, "alice@example.com", "Alice")
    assert (person.language, person.time_zone, row.request.frequency) == ("en", "Europe/Berlin", Frequency.DAILY)


@pytest.mark.parametrize(
    "text",
    [
        "email\nalice@example.com",
        "Email,NAME\nalice@example.com,Alice\n",
        "name;email\nAlice;alice@example.com\n",
        "name\temail\nAlice\talice@example.com\n",
        "name|email\nAlice|alice@example.com\n",
        "email,name\r\nalice@example.com,Alice\r\n",
        "email,name\ralice@example.com,Alice\r",
        "\n\nemail,name\n\n , \nalice@example.com,Alice\n\n",
        "sep=;\nemail;name\nalice@example.com;Alice\n",
        '"email", "name"\n"alice@example.com", "Alice"\n',
        "email,time zone,Name\nalice@example.com,,\n",
        "email,name\nalice@example.com,Alice,,\n",
        "email\nalice@example.com;\n".replace(";", ""),
    ],
)
def test_a_list_is_read_however_it_is_parted(text: str) -> None:
    assert [email for _, email in rows(read(text))] == ["alice@example.com"]
    assert not problems(read(text))


def test_a_quoted_cell_may_hold_line_breaks_and_lines_are_still_counted() -> None:
    found = read('email,name\nalice@example.com,"Liu,\nAlice ""Al"""\nbob@example.com,Bob\nnobody,x\n')
    assert rows(found) == [(2, "alice@example.com"), (4, "bob@example.com")]
    assert isinstance(found[0], Row)
    assert found[0].request.person.name == 'Liu, Alice "Al"'
    assert [line for line, _ in problems(found)] == [5]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("nobody,,,", "@-sign"),
        ('""', ""),
        ("alice@example.com,Alice", "cells in the row: 2; columns that the first line names: 4"),
        ("alice@example.com,a,b,c,d", "row: 5"),
        (",Alice,,", "address is empty"),
        ("alice@example.com,,Mars/Olympus,", "time zone"),
        ("alice@example.com,,,hourly", "frequency"),
        (f"alice@example.com,{'x' * 300},,", "too long"),
        ("ali\0ce@example.com,,,", "U+0000"),
        ("alice@example.com,Ali\0ce,,", "control"),
        ("x" * 30_000, "longer than 20,000"),
        ('alice@example.com,"Alice,,', "a quote is opened and not closed"),
    ],
)
def test_a_bad_row_is_reported_with_its_line_and_the_rest_is_read(row: str, reason: str) -> None:
    found = read(f"email,name,time_zone,frequency\nbob@example.com,,,\n{row}\ncarol@example.com,,,\n")
    assert rows(found) == [(2, "bob@example.com"), (4, "carol@example.com")]
    assert len(problems(found)) == (row != '""')
    for line, text in problems(found):
        assert line == 3
        assert reason in text


def test_a_quote_that_is_never_closed_spoils_one_line_of_a_long_list() -> None:
    many = "".join(f"reader{number}@example.com,\n" for number in range(200))
    found = read(f'email,name\nalice@example.com,"Alice\n{many}bob@example.com,"Bob\n')
    assert [line for line, _ in problems(found)] == [2, 203]
    assert len(rows(found)) == 200


def test_a_long_line_within_an_open_quote_spoils_two_lines() -> None:
    found = read(f'email,name\nalice@example.com,"Alice\n{"x" * 30_000}\nbob@example.com,\n')
    assert [line for line, _ in problems(found)] == [2, 3]
    assert rows(found) == [(4, "bob@example.com")]


def test_a_quote_in_the_middle_of_a_cell_is_a_character() -> None:
    found = read('email,name\nalice@example.com,Alice "Al" Liu\nbob@example.com,5" Bob\n"carol@example.com"x,\n')
    assert [email for _, email in rows(found)] == ["alice@example.com", "bob@example.com", "carol@example.comx"]


def test_a_long_line_at_the_very_end_is_a_problem_too() -> None:
    assert problems(read("email\n" + "x" * 50_000)) == [(2, "the line is longer than 20,000 characters")]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("\n \n\n", "is empty"),
        ("name,e-mail\n", "found `name`, `e_mail`: call `e_mail` `email`"),
        ("name,phone\n", "found `name`, `phone`$"),
        ("alice@example.com\nbob@example.com\n", "looks like a person"),
        ("\nemail,name,Email\n", "line 2: the column `email` is there twice"),
        (",,\n", "no column `email`$"),
        ("x" * 100_000, "no column `email`$"),
        ("\0\x01\x02", "no column `email`"),
    ],
)
def test_a_list_without_its_first_line_is_refused(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read(text)


def test_unknown_columns_are_passed_over_with_a_remark() -> None:
    found = read("email,frequenzy,phone,,\x07\nalice@example.com,daily,1,,\n")
    assert [one.text for one in found if isinstance(one, Remark)] == [
        "the column `frequenzy` is not known and is passed over; did you mean “frequency”?",
        "the column `phone` is not known and is passed over.",
        "the column `'\\x07'` is not known and is passed over.",
    ]
    assert rows(found) == [(2, "alice@example.com")]


def test_what_the_csv_module_stumbles_over_is_a_problem_of_that_row() -> None:
    lines = lines_of("email\nalice@example.com\n")
    with patch("alerts.core.subscriber_list._read_record", side_effect=csv.Error("odd")):
        assert list(read_list(lines, known_zones=ZONES)) == [Problem(2, "odd")]


@pytest.mark.parametrize("cell", ["=HYPERLINK(0)", "+1", "-1", "@x", "'=x", "''+x"])
def test_a_formula_is_guarded_when_written_and_itself_again_when_read(cell: str) -> None:
    assert write_cell(cell) == f"'{cell}"
    (row,) = read(f"email,name\nalice@example.com,{write_cell(cell)}\n")
    assert isinstance(row, Row)
    assert row.request.person.name == cell


@pytest.mark.parametrize("cell", ["", "Alice", "O'Neil", "'quoted'", "a=b"])
def test_other_cells_are_written_as_they_are(cell: str) -> None:
    assert write_cell(cell) == cell


@given(st.text())
def test_no_text_breaks_the_reading(text: str) -> None:
    for one in read(f"email,name\n{text}"):
        assert isinstance(one, (Row, Problem))


@given(st.text(alphabet="ab@.,;\"\n\t '=", max_size=200))
def test_a_row_after_any_mess_is_still_found(mess: str) -> None:
    found = read(f"email,name\n{mess}\n" + "\n" * 50 + "zoe@example.com,Zoe\n")
    assert "zoe@example.com" in [email for _, email in rows(found)]


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=20), max_size=5))
def test_what_the_csv_module_writes_is_read_line_for_line(names: list[str]) -> None:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["email", "name"])
    for number, name in enumerate(names):
        writer.writerow([f"reader{number}@example.com", write_cell(name)])
    found = read(out.getvalue())
    accepted = {line for line, _ in rows(found)} | {line for line, _ in problems(found)}
    assert accepted == set(range(2, len(names) + 2))
