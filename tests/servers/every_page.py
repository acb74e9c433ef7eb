"""A site with something on every page, and the list of its pages: what is proved of pages is proved of all in it.

A new page gets its line in ``every_page``; whoever is needed to see it joins the people there.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cast import World
from mailbag import waiting_mails
from playwright.async_api import Page, Response, Route
from sqlalchemy import literal, select
from sqlalchemy.ext.asyncio import AsyncConnection
from website import Website

from alerts.core.asking import Asking
from alerts.core.tokens import Purpose, confirmation_token, sign
from alerts.core.undo import mark_of, moment_of_leaving
from alerts.mail.caught import MailEnvelope, MailStore
from alerts.queue import Job
from alerts.services.change_address import ask_to_change
from alerts.services.fan_out import fan_out
from alerts.services.preferences import pause
from alerts.services.subscribe import subscribe
from alerts.services.unsubscribe import unsubscribe
from alerts.storage import schema
from alerts.storage.schema import Utc

MAILS = ("confirmation mail", "alert mail", "alert mail in Chinese")  # in the order in which they come to be owed
SLUGS = ("xiaomi", "tesla", "byd")
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 3
FOREIGN_MAIL = (
    b"Subject: Hello\r\nContent-Type: text/html\r\n\r\n<html><head></head><body onload=\"document.title='x'\">"
    b"<script>top.location='http://127.0.0.1:1/'</script><img src=x onerror=alert(1)><table width=2000><tr><td>x"
    b'<a href="/healthz">link</a></table><form action=/u/x method=post><button>Go</button></form></body></html>\r\n'
)


@dataclass(frozen=True, slots=True)
class Place:
    """A page: its path, the form that is posted where it answers a press, and the status that is right for it."""

    path: str
    form: Mapping[str, str] | None = None
    status: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """What operators, publishers and feeds may have written."""

    channel: str
    title: str
    lines: Sequence[str]
    body: str
    author: str
    term: str
    link: str | None
    local_part: str = "alice"  # of the address that mails go to


_MERGED = ("former_id", "channel_id", "subscriber_id", "created_at")
HARSH = Texts(
    channel=LONG,
    title=f"小米 {LONG} مرحبا",
    lines=[LONG, "第二行", "\u202eoiximaiX\u202c and on"],
    body=f"{LONG}\n\nEnd.",
    author=LONG,
    term=LONG,
    link=None,
)


@dataclass(frozen=True, slots=True)
class Stage:
    """What there is to be seen: articles, and mails in the catcher by what they are."""

    story: int  # an article that only we publish
    article: int  # one that has a link
    mails: Mapping[str, str] = field(default_factory=dict)


async def furnish(web: Website, now: datetime, maildir: Path, texts: Texts = HARSH) -> Stage:
    """Put ``texts`` wherever somebody else's text may stand, and let the mails about them be caught."""
    world = World(web.app.db, now)
    channels = [await world.channel(slug) for slug in SLUGS]
    source = await world.source()
    story = await world.article(source, title=texts.title, channels=tuple(channels[:2]))
    article = await world.article(source, title=f"{texts.title}.", channels=(channels[1],))
    for number in range(25):  # so that there are older ones
        await world.article(source, title=f"Tesla {number}", channels=(channels[1],))
    hits = [{"term": texts.term, "zone": "title", "count": 3}, {"term": "x", "zone": texts.term, "count": 1}]
    item = {"summary": list(texts.lines), "body": texts.body, "author": texts.author, "tags": [texts.term]}
    async with web.app.db.transaction() as tx:
        tables = schema.metadata.tables
        await tx.execute(tables["fan_outs"].delete().where(tables["fan_outs"].c.article_id != story))
        await tx.execute(tables["matches"].update().values(hits=hits))
        named = tables["channels"].update().where(tables["channels"].c.slug == "tesla")
        await tx.execute(named.values(name=texts.channel, query=texts.term))
        await tx.execute(tables["channels"].update().where(tables["channels"].c.slug == "byd").values(state="retired"))
        await tx.execute(tables["articles"].update().values(**item))
        await tx.execute(tables["articles"].update().where(tables["articles"].c.id == story).values(url=texts.link))
    return Stage(story, article, await _catch(web, now, maildir, story, texts.local_part))


async def _catch(web: Website, now: datetime, maildir: Path, story: int, local_part: str) -> dict[str, str]:
    """Let one of each kind of mail be caught, beside a foreign one; return their ids."""
    store = MailStore(maildir)
    await asyncio.to_thread(store.open)
    await _person(web, now, f"{local_part}.asks", ["xiaomi", "tesla"], confirmed=False)
    await _person(web, now, local_part, ["xiaomi", "tesla"])
    await _person(web, now, f"{local_part}.zh", ["xiaomi", "tesla"], language="zh")
    await fan_out(web.app.db, story, now=now)
    mails = {
        "foreign mail": store.add(FOREIGN_MAIL, MailEnvelope("a@site.example", (f"{'b' * 60}@reader.example",) * 3))
    }
    for name, one in zip(MAILS, await waiting_mails(web.app), strict=True):
        mails[name] = store.add(one.message, MailEnvelope(one.sender, (one.recipient,)))
    return mails


async def every_page(web: Website, now: datetime, stage: Stage) -> dict[str, Place]:
    """Return every page by its name; the people whom they are about are made for it, one for each press."""
    following = list(SLUGS[:2])
    reader = await _person(web, now, "reader", following)
    gone = await _person(web, now, "gone", [])
    leaving = [await _person(web, now, f"leaving{number}", following) for number in range(4)]
    places = {
        "channels": Place("/"),
        "channels, found": Place("/?q=mi"),
        "channels, none found": Place("/?q=nowhere"),
        "channel": Place("/c/tesla"),
        "channel, older": Place("/c/tesla?before=9"),
        "channel, closed": Place("/c/byd"),
        "box in a frame": Place("/embed/tesla"),
        "box in a frame, in colours": Place("/embed/tesla?paper=102030&accent=ffcc00"),
        "box in a frame, closed": Place("/embed/byd"),
        "box in a frame, unknown": Place("/embed/nothing", status=404),
        "subscribe": Place("/subscribe?channel=tesla"),
        "subscribe, once more": Place("/subscribe", {"email": "nobody", "channel": "tesla"}, 422),
        "subscribed": Place("/subscribe", {"email": "subscribes@reader.example", "channel": "tesla"}),
        "subscribed in a frame": Place(
            "/subscribe", {"email": "x@reader.example", "channel": "tesla", "from": "embed"}
        ),
        "lost link": Place("/manage"),
        "lost link, once more": Place("/manage", {"email": "nobody"}, 422),
        "lost link, sent": Place("/manage", {"email": "reader@reader.example"}),
        "alert": Place(f"/a/{stage.story}"),
        "alert with a link": Place(f"/a/{stage.article}"),
        "no such page": Place("/nothing", status=404),
        "not in this way": Place("/", form={"x": "y"}, status=405),
        "confirm": await _asked(web, now, "new"),
        "confirm, too late": await _asked(web, now - timedelta(hours=49), "late", status=410),
        "confirm, unknown": Place("/confirm/x", status=404),
        "manage": Place(web.manage_link(reader)),
        "manage, nothing held": Place(web.manage_link(gone)),
        "manage, unknown": Place("/m/x", status=404),
        "leave": Place(web.leave_link(reader, stage.story)),
        "leave, one channel": Place(web.leave_link(reader, stage.article)),
        "leave, nothing held": Place(web.leave_link(gone, stage.story)),
        "leave, unknown": Place("/u/x"),
        "left": Place(web.leave_link(leaving[0], stage.article), {"leave": "these"}),
        "left everything": Place(web.leave_link(leaving[1], stage.story), {"leave": "all"}),
        "left one on the manage page": Place(web.manage_link(leaving[2]), {"do": "leave:tesla"}),
        "forgotten": Place(web.manage_link(leaving[3]), {"do": "forget"}),
        "confirmed": await _asked(web, now, "certain", form={}),
        "channel, unknown": Place("/c/nothing", status=404),
    }
    return (
        places
        | await _taken_back(web, now)
        | await _former(web, now, stage)
        | await _wishes(web, now)
        | await _moving(web, now)
        | _catcher_pages(stage)
    )


async def _taken_back(web: Website, now: datetime) -> dict[str, Place]:
    """Name the pages of those who left by mistake."""
    quick, slow, own = [await _person(web, now, f"{name}.undoes", list(SLUGS[:2])) for name in ("quick", "slow", "own")]
    for one in (quick, own):
        await unsubscribe(web.app.db, subscriber_id=one, channel_ids=None, now=now)
    sealed = {one: sign(Purpose.UNDO, one, mark_of(moment_of_leaving(now)), web.app.secrets) for one in (quick, own)}
    return {
        "taken back": Place(web.leave_link(quick, 0), {"undo": sealed[quick]}),
        "taken back, too late": Place(web.leave_link(slow, 0), {"undo": "x"}),
        "manage, taken back": Place(web.manage_link(own), {"do": "undo", "undo": sealed[own]}),
    }


async def _former(web: Website, now: datetime, stage: Stage) -> dict[str, Place]:
    """Name the pages behind the links in a mailbox that somebody has given up for another."""
    gone = range(1_000_001, 1_000_004)  # the numbers of rows that are no more
    for number in gone:
        kept = await _person(web, now, f"kept{number}", list(SLUGS[:2]))
        async with web.app.db.transaction() as tx:
            followed = select(literal(number), schema.channels.c.id, literal(kept), literal(now, Utc)).where(
                schema.channels.c.slug.in_(SLUGS[:2])
            )
            await tx.execute(schema.merged_subscriptions.insert().from_select(_MERGED, followed))
    return {
        "leave, from a former address": Place(web.leave_link(gone[0], stage.story)),
        "left, from a former address": Place(web.leave_link(gone[1], stage.story), {"leave": "these"}),
        "left everything, from a former address": Place(web.leave_link(gone[2], stage.story), {"leave": "all"}),
    }


async def _wishes(web: Website, now: datetime) -> dict[str, Place]:
    """Name the pages that answer the buttons of the preferences."""
    paused = await _person(web, now, "paused", list(SLUGS[:2]))
    await pause(web.app.db, subscriber_id=paused, until=now + timedelta(days=9), now=now)
    wishes = {
        "pause": ({"do": "pause", "until": f"{now + timedelta(days=9):%Y-%m-%d}"}, 200),
        "pause, no such day": ({"do": "pause", "until": "1999-01-01"}, 422),
        "resume": ({"do": "resume"}, 200),
        "language": ({"do": "language", "language": ""}, 200),
        "follow": ({"do": "follow:tesla"}, 200),
        "leave all": ({"do": "leave-all"}, 200),
        "address asked": ({"do": "address", "email": "elsewhere@reader.example"}, 200),
        "address, once more": ({"do": "address", "email": "nowhere"}, 422),
    }
    places = {"manage, paused": Place(web.manage_link(paused))}
    for number, (name, (form, status)) in enumerate(wishes.items()):
        person = await _person(web, now, f"wishes{number}", ["xiaomi"])
        places[f"manage, {name}"] = Place(web.manage_link(person), form, status)
    return places


async def _moving(web: Website, now: datetime) -> dict[str, Place]:
    """Name the pages behind the mail to a new address."""

    async def asked(name: str, at: datetime) -> str:
        person, salt = await _person(web, at, f"{name}.moves", ["xiaomi"]), _salt(f"{name} moves")
        asking = Asking(secrets=web.app.secrets, salt=salt, network="192.0.2.0/24", site_limit=1000)
        address = f"{name}.moved@reader.example"
        await ask_to_change(web.app.db, subscriber_id=person, address=address, now=at, asking=asking, enlist=_nobody)
        its = select(schema.confirmations.c.id).where(
            schema.confirmations.c.subscriber_id == person, schema.confirmations.c.email.is_not(None)
        )
        async with web.app.db.reading() as tx:
            key = (await tx.scalars(its)).one()
        return "/confirm/" + confirmation_token(web.app.secrets, key, salt)

    moved, late = await asked("soon", now), await asked("late", now - timedelta(hours=49))
    return {
        "change address": Place(await asked("maybe", now)),
        "change address, changed": Place(moved, {}),
        "change address, too late": Place(late, status=410),
    }


async def _nobody(_tx: AsyncConnection, _job: Job) -> None:
    """Ask nobody: who looks at pages waits for no mail."""


def _catcher_pages(stage: Stage) -> dict[str, Place]:
    if not stage.mails:
        return {}
    pages = {"caught": Place("/catcher?refresh=off")}
    for name, key in stage.mails.items():
        views = ("html", "text", "headers", "source") if name == "alert mail" else ("html",)
        pages |= {f"{name}, {view}": Place(f"/catcher/{key}/{view}") for view in views}
    if "foreign mail" in stage.mails:
        pages["foreign mail, text"] = Place(f"/catcher/{stage.mails['foreign mail']}/text")
    return pages


async def _person(
    web: Website,
    now: datetime,
    name: str,
    slugs: Sequence[str],
    *,
    confirmed: bool = True,
    language: str | None = None,
) -> int:
    """Subscribe somebody; to nothing any more, when no channel is named."""
    done = await subscribe(
        web.app.db,
        address=f"{name}@reader.example",
        language=language,
        slugs=slugs or ["xiaomi"],
        frequency=None,
        confirmed=confirmed,
        now=now,
        secrets=web.app.secrets,
        salt=_salt(name),
    )
    if not slugs:
        held = schema.subscriptions
        ended = {"state": "ended", "ended_at": now, "end_reason": "unsubscribed"}
        async with web.app.db.transaction() as tx:
            await tx.execute(held.update().where(held.c.subscriber_id == done.subscriber.id).values(**ended))
    return done.subscriber.id


async def _asked(
    web: Website, at: datetime, name: str, *, form: Mapping[str, str] | None = None, status: int = 200
) -> Place:
    """Let somebody ask for two channels; return the page behind the link of their mail."""
    person = await _person(web, at, name, ["xiaomi", "tesla"], confirmed=False)
    asked = select(schema.confirmations.c.id).where(schema.confirmations.c.subscriber_id == person)
    async with web.app.db.reading() as tx:
        key = (await tx.scalars(asked)).one()
    return Place("/confirm/" + confirmation_token(web.app.secrets, key, _salt(name)), form, status)


def _salt(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()[:16]


async def visit(page: Page, origin: str, place: Place) -> Response:
    """Go to a page as a reader gets there: by its link, or by the press of a button."""
    url = origin + place.path
    if place.form is not None:
        await page.route(url, _Press(place.form), times=1)
    answer = await page.goto(url)
    assert answer is not None, url
    assert answer.status == place.status, f"{url}: {answer.status}"
    return answer


class _Press:
    """Makes the next request one that posts a form."""

    def __init__(self, form: Mapping[str, str]) -> None:
        self._body = "&".join(f"{name}={value}" for name, value in form.items())

    async def __call__(self, route: Route) -> None:
        headers = {**route.request.headers, "content-type": "application/x-www-form-urlencoded"}
        await route.continue_(method="POST", headers=headers, post_data=self._body)
