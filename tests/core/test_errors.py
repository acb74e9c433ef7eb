import inspect
from datetime import timedelta

import pytest

from alerts.core import errors
from alerts.core.errors import (
    AlertsError,
    ConfigError,
    FetchError,
    NotFoundError,
    QueryError,
    RefusedTargetError,
    RelayError,
)

OURS = [it for _, it in inspect.getmembers(errors, inspect.isclass) if issubclass(it, AlertsError)]


def test_the_tree_at_the_top_of_the_file_names_every_error() -> None:
    assert all(error.__name__ in (errors.__doc__ or "") for error in OURS)


def test_a_query_error_knows_its_place() -> None:
    error = QueryError("what is this?", line=2, column=7)
    assert (error.line, error.column, str(error)) == (2, 7, "what is this?")
    assert isinstance(error, ValueError)


@pytest.mark.parametrize("kind", [FetchError, RefusedTargetError, RelayError])
def test_delivery_and_polling_ask_one_question_of_a_failure(kind: type[FetchError | RelayError]) -> None:
    assert not kind("down").permanent
    assert kind("gone", permanent=True).permanent
    assert isinstance(kind("down"), ConnectionError)


def test_a_fetch_error_may_name_a_time_to_come_back() -> None:
    assert FetchError("busy", retry_after=timedelta(minutes=3)).retry_after == timedelta(minutes=3)


def test_an_error_can_be_drawn_for_a_terminal() -> None:
    assert NotFoundError("no such thing").drawn == "no such thing"
    assert ConfigError("wrong").drawn == "wrong"
    assert ConfigError("wrong", drawn="wrong\n  here").drawn == "wrong\n  here"
