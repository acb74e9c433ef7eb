"""The mails that a ledger owes, as they would leave: composed by the product, given to no server; and their links."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from mail_raw import fields, texts_of
from sqlalchemy import select

from alerts.app import App
from alerts.core.model import Envelope
from alerts.storage import schema
from alerts.storage.deliveries import delivery_by_id
from alerts.storage.engine import Database
from alerts.storage.letters import load_letters

_LINK = re.compile(r"https?://[^\s<>\"']+")


async def waiting_mails(app: App) -> list[Envelope]:
    """Compose every mail that waits to be sent."""
    waiting = select(schema.deliveries.c.id).where(schema.deliveries.c.state == "pending").order_by("id")
    async with app.db.reading() as tx:
        owed = [await delivery_by_id(tx, key) for key in (await tx.scalars(waiting)).all()]
        letters = await load_letters(tx, [one for one in owed if one is not None])
    compose = app.composer()
    return [compose(letter) for letter in letters if letter.wanted]


def links_of(raw: bytes, origin: str) -> list[str]:
    """Return the links to the site that stand anywhere in a mail, each once: in its text, its HTML, its headers."""
    head = raw.partition(b"\r\n\r\n")[0]
    text, html = texts_of(raw)
    everywhere = " ".join([text, html.replace("&amp;", "&"), *(value for _, value in fields(head))])
    found = [link.rstrip(".,;)") for link in _LINK.findall(everywhere)]
    ours = urlsplit(origin).netloc
    return list(dict.fromkeys(link for link in found if urlsplit(link).netloc == ours))


async def whole_ledger(db: Database) -> dict[str, list[tuple[object, ...]]]:
    """Return every row of every table, in an order that the rows alone decide."""
    async with db.reading() as tx:
        return {
            table.name: sorted((tuple(row) for row in await tx.execute(select(table))), key=repr)
            for table in schema.metadata.sorted_tables
        }
