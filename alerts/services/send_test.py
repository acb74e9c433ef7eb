"""Send a test: owe one mail to an address that subscribes to nothing by it, to see that mail goes out."""

from __future__ import annotations

from datetime import datetime

from alerts.core.addresses import mask, normalise
from alerts.core.errors import InputError
from alerts.core.model import SubscriberState
from alerts.core.people import Person
from alerts.core.tokens import Secrets
from alerts.storage import owed, subscribers, suppressions
from alerts.storage.engine import Database


async def send_test(db: Database, *, address: str, secrets: Secrets, now: datetime) -> int:
    """Write a test mail's delivery, due now, and return its id; it goes the way of every other mail.

    Raises AddressError for what is no address, InputError for one that we never mail again.
    """
    person = Person(address=normalise(address))
    key = person.address.key
    async with db.transaction() as tx:
        suppressed = await suppressions.suppressed_among(tx, [key], secrets=secrets)
        found = await subscribers.find_or_add(tx, [person], suppressed=suppressed, now=now)
        if suppressed or found[key].state is SubscriberState.SUPPRESSED:
            raise InputError(f"{mask(person.address.email)} is suppressed: it bounced, or its owner complained.")
        return await owed.owe_test(tx, subscriber_id=found[key].id, now=now)
