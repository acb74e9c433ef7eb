"""Forms that ask for a browser's work: what counts, what does not, and the way for who has no JavaScript."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import altcha
import html5lib
import httpx2
import pytest
import time_machine
from cast import World
from forms import Form, form_of
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select
from website import Website, website

from alerts.core.model import DeliveryKind
from alerts.services.subscribe import subscribe
from alerts.storage import schema
from alerts.storage.engine import Database
from alerts.web import work

ALICE = "alice@reader.example"
KEY = b"k" * 32
Spoil = Callable[[dict[str, Any]], object]


@pytest.fixture
def _clock(now: datetime) -> Iterator[time_machine.Traveller]:
    with time_machine.travel(now, tick=False) as clock:  # the library reads the machine's clock
        yield clock


@pytest.fixture
async def web(sqlite_db: Database, tmp_path: Path, now: datetime, _clock: object) -> AsyncIterator[Website]:
    async with website(sqlite_db, tmp_path, now, more="subscribe: {proof_of_work: true}\n") as web:
        web.app.clock = lambda: datetime.now(UTC)
        await World(sqlite_db, now).channel()
        yield web


@pytest.fixture
def clock(_clock: time_machine.Traveller) -> time_machine.Traveller:
    return _clock


def go_on(clock: time_machine.Traveller, **by: float) -> None:
    clock.shift(timedelta(**by))


async def opened(web: Website) -> tuple[Form, str]:
    """Open the form; return it with the challenge, the address typed and the channel ticked."""
    page = (await web.visitor.get("/subscribe")).text
    form = form_of(page)
    form.fields |= {"email": [ALICE], "channel": ["xiaomi"]}
    return form, challenge_in(page)


def challenge_in(page: str) -> str:
    tree = html5lib.parse(page, namespaceHTMLElements=False)
    (field,) = [one for one in tree.iter("input") if one.get("data-challenge")]
    return str(field.get("data-challenge"))


def solved(challenge: str, spoil: Spoil | None = None) -> str:
    """Do the work as work.js does, and spoil the outcome if asked to."""
    made = json.loads(challenge)
    solution = altcha.solve_challenge(altcha.Challenge.from_dict(made))
    assert solution is not None
    payload = {"challenge": made, "solution": {"counter": solution.counter, "derivedKey": solution.derived_key}}
    if spoil is not None:
        spoil(payload)
    return base64.b64encode(json.dumps(payload).encode()).decode()


async def press(web: Website, form: Form, **more: str) -> httpx2.Response:
    return await web.visitor.post("/subscribe", data=form.fields | more)


async def asked(web: Website) -> int:
    async with web.app.db.reading() as tx:
        return await tx.scalar(select(func.count()).select_from(schema.confirmations)) or 0


async def test_a_form_with_work_counts(web: Website, clock: time_machine.Traveller) -> None:
    form, challenge = await opened(web)
    go_on(clock, seconds=30)
    answer = await press(web, form, proof=solved(challenge))
    assert "Look into your mailbox" in answer.text
    assert await asked(web) == 1


async def test_work_counts_once_however_it_is_written(web: Website, clock: time_machine.Traveller) -> None:
    form, challenge = await opened(web)
    go_on(clock, seconds=30)
    first = solved(challenge)
    again = solved(challenge, lambda payload: payload["solution"].update(time=1))
    await press(web, form, proof=first)
    for proof in (first, again, first + "\n"):
        answer = await press(web, form, proof=proof, email="bob@reader.example")
        assert answer.status_code == 422
        assert "press the button once more" in answer.text
        assert challenge_in(answer.text) != challenge
    assert await asked(web) == 1


SPOILT: list[Spoil] = [
    lambda it: it["challenge"]["parameters"].update(cost=1),
    lambda it: it["challenge"]["parameters"].update(keyPrefix=""),
    lambda it: it["challenge"]["parameters"].update(expiresAt=9_999_999_999),
    lambda it: it["challenge"]["parameters"].pop("expiresAt"),
    lambda it: it["challenge"].update(signature="0" * 64),
    lambda it: it["challenge"].pop("signature"),
    lambda it: it["solution"].update(counter=it["solution"]["counter"] + 1),
    lambda it: it["solution"].update(derivedKey="0" * 64),
    lambda it: it["solution"].update(counter=True),
    lambda it: it.update(solution=None),
    lambda it: it.update(challenge=[]),
]


@pytest.mark.parametrize("number", range(len(SPOILT)))
def test_work_that_was_tampered_with_counts_for_nothing(number: int) -> None:
    challenge = work.challenge(KEY, datetime.now(UTC))
    assert work.judge(solved(challenge), KEY) is not None
    assert work.judge(solved(challenge, SPOILT[number]), KEY) is None


def test_another_sites_work_counts_for_nothing() -> None:
    assert work.judge(solved(work.challenge(b"x" * 32, datetime.now(UTC))), KEY) is None


def test_work_for_a_challenge_of_an_hour_ago_counts_for_nothing(clock: time_machine.Traveller, now: datetime) -> None:
    payload = solved(work.challenge(KEY, now))
    go_on(clock, minutes=59)
    assert work.judge(payload, KEY) is not None
    go_on(clock, minutes=2)
    assert work.judge(payload, KEY) is None


@given(st.one_of(st.text(), st.binary().map(lambda some: base64.b64encode(some).decode())))
def test_any_text_has_an_answer(text: str) -> None:
    assert work.judge(text, KEY) is None


@pytest.mark.parametrize("json_text", ["[" * 3_000, "null", "1e999", '{"challenge": "x", "solution": "y"}', "{}"])
def test_nonsense_in_the_right_wrapping_has_an_answer(json_text: str) -> None:
    assert work.judge(base64.b64encode(json_text.encode()).decode(), KEY) is None


async def test_refused_work_gets_the_form_again_with_what_was_typed(
    web: Website, clock: time_machine.Traveller
) -> None:
    form, challenge = await opened(web)
    go_on(clock, hours=2)
    late = await press(web, form, proof=solved(challenge))
    assert late.status_code == 422
    again = form_of(late.text)
    assert (again.fields["email"], again.fields["channel"]) == ([ALICE], ["xiaomi"])
    go_on(clock, seconds=30)
    assert "Look into" in (await press(web, again, proof=solved(challenge_in(late.text)))).text


async def test_without_javascript_one_waits_five_seconds_and_presses_once_more(
    web: Website, clock: time_machine.Traveller
) -> None:
    form, _ = await opened(web)
    go_on(clock, seconds=30)
    page = await press(web, form)
    assert page.status_code == 200
    assert "wait five seconds" in page.text
    again = form_of(page.text)
    go_on(clock, seconds=4)
    assert "wait five seconds" in (await press(web, again)).text
    assert await asked(web) == 0
    go_on(clock, seconds=2)
    assert "Look into your mailbox" in (await press(web, again)).text
    assert await asked(web) == 1
    assert (await press(web, again, email="bob@reader.example")).status_code == 422
    assert await asked(web) == 1


async def test_a_form_elsewhere_that_brings_nothing_has_to_go_the_same_way(web: Website) -> None:
    answer = await web.visitor.post("/subscribe", data={"email": ALICE, "channel": "xiaomi"})
    assert "wait five seconds" in answer.text
    assert await asked(web) == 0


async def test_a_script_may_run_only_where_one_is(web: Website) -> None:
    page = await web.visitor.get("/subscribe")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert page.text.count("<script") == 1
    assert 'src="/static/work.js?v=' in page.text
    for path in ("/", "/subscribe/x"):
        assert "script-src" not in (await web.visitor.get(path)).headers["content-security-policy"]
    framed = await web.visitor.post("/subscribe", data={"from": "embed"})
    assert "script-src 'self'" in framed.headers["content-security-policy"]
    assert "frame-ancestors *" in framed.headers["content-security-policy"]


async def links_sent(web: Website) -> int:
    owed = schema.deliveries
    async with web.app.db.reading() as tx:
        query = select(func.count()).select_from(owed).where(owed.c.kind == DeliveryKind.MANAGE_LINK.value)
        return await tx.scalar(query) or 0


async def test_the_form_for_a_lost_link_asks_for_work_too_and_takes_it_once(
    web: Website, clock: time_machine.Traveller, now: datetime
) -> None:
    await subscribe(
        web.app.db,
        address=ALICE,
        language=None,
        slugs=["xiaomi"],
        frequency=None,
        confirmed=True,
        now=now,
        secrets=web.app.secrets,
        salt=b"s" * 16,
    )
    page = (await web.visitor.get("/manage")).text
    fields = form_of(page).fields | {"email": [ALICE]}
    proof = solved(challenge_in(page))
    go_on(clock, seconds=30)
    without = await web.visitor.post("/manage", data=fields)
    assert challenge_in(without.text)
    assert await links_sent(web) == 0
    sent = await web.visitor.post("/manage", data=fields | {"proof": [proof]})
    assert "Look into your mailbox" in sent.text
    assert await links_sent(web) == 1
    again = await web.visitor.post("/manage", data=fields | {"proof": [proof]})
    assert again.status_code == 422
    assert await links_sent(web) == 1
