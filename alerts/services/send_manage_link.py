"""Send manage link: for whoever lost the link to their preferences. It goes to the address by mail, nowhere else."""

from __future__ import annotations

from datetime import datetime

from alerts.core.addresses import normalise
from alerts.core.model import Lane, SubscriberState
from alerts.core.stamps import Proof
from alerts.core.tokens import Secrets, hash_address
from alerts.queue import Enlist, Job, Step
from alerts.storage import budgets, owed, spent_proofs, subscribers
from alerts.storage.engine import Database


async def send_manage_link(
    db: Database,
    *,
    address: str,
    network: str,
    site_limit: int,
    now: datetime,
    secrets: Secrets,
    proof: Proof | None = None,
    enlist: Enlist | None = None,
) -> bool:
    """Owe the person with this address the link, if there is one and there were not too many mails already (C3).

    False, and nothing done, for a proof that was spent before; a page answers the same to everything else (C2). Only
    who confirmed once is mailed: not who never did, nor who is suppressed. Raise AddressError for what is no address.
    """
    key = normalise(address).key
    address_hash = hash_address(secrets, key)
    async with db.transaction() as tx:
        if proof is not None and not await spent_proofs.spend(tx, proof):
            return False
        if not await budgets.spend(tx, address_hash=address_hash, network=network, now=now, site_limit=site_limit):
            return True  # asked first: whoever is unknown here costs as much as who is known
        found = (await subscribers.lock_subscribers(tx, [key])).get(key)
        if found is None or found.state is not SubscriberState.ACTIVE:
            return True
        await owed.owe_manage_link(tx, subscriber_id=found.id, now=now)
        if enlist is not None:
            await enlist(tx, Job(Step.DELIVER, Lane.CONFIRMATION))
    return True
