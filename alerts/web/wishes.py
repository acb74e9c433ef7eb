"""What the buttons of the preferences page ask for: each wish goes to its service, and comes back as a sentence."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from starlette.requests import Request

from alerts.core.asking import Asking
from alerts.core.errors import AddressError, InputError
from alerts.core.model import Subscriber
from alerts.core.pause import a_week_on, read_day
from alerts.core.sentences import N_
from alerts.core.tokens import SALT_SIZE, Purpose, read
from alerts.core.undo import moment_of
from alerts.services.change_address import ask_to_change
from alerts.services.follow import FollowOutcome, follow
from alerts.services.preferences import Held, channels_to_follow, pause, resume, set_language
from alerts.services.unsubscribe import undo, unsubscribe
from alerts.web.neutral import answer_after
from alerts.web.state import SiteState
from alerts.web.visitor import network_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What became of a wish, to be said on the page."""

    sentence: str
    channel: str | None = None  # the one that the sentence is about
    problem: str | None = None  # the part of the page where something was amiss
    typed: str = ""  # there, to be mended
    day: date | None = None  # that would do


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """Somebody at their own page, and what they sent."""

    request: Request
    site: SiteState
    held: Held
    form: Mapping[str, str]

    @property
    def person(self) -> Subscriber:
        """Who it is."""
        return self.held[0]

    def asking(self) -> Asking:
        """Give what it takes to ask an address something by mail."""
        return Asking(
            secrets=self.site.app.secrets,
            salt=os.urandom(SALT_SIZE),
            network=network_of(self.request),
            site_limit=self.site.app.config.subscribe.mails_an_hour,
        )


async def fulfil(visit: Visit) -> Said | None:
    """Do what a button asks for; None for what no button of ours asks."""
    wish = visit.form.get("do", "")
    name, colon, slug = wish.partition(":")
    act = (_OF_A_CHANNEL if colon else _WISHES).get(name)
    if act is None:
        return None
    return await act(visit, slug)


async def _leave(visit: Visit, slug: str) -> Said | None:
    found = [one for one in visit.held[1] if one.channel_slug == slug]
    if not found:
        return None
    ids = [one.channel_id for one in found]
    await unsubscribe(visit.site.app.db, subscriber_id=visit.person.id, channel_ids=ids, now=visit.site.now())
    return Said(sentence=N_("You have left {channel}."), channel=found[0].channel_name)


async def _leave_all(visit: Visit, _: str) -> Said:
    await unsubscribe(visit.site.app.db, subscriber_id=visit.person.id, channel_ids=None, now=visit.site.now())
    return Said(sentence=N_("You have left all channels."))


async def _undo(visit: Visit, _: str) -> Said:
    site = visit.site
    claims = read(visit.form.get("undo", ""), Purpose.UNDO, site.app.secrets)
    if claims is None or claims.subscriber_id != visit.person.id:
        return Said(sentence=_TOO_LATE)
    done = await undo(
        site.app.db,
        subscriber_id=visit.person.id,
        moment=moment_of(claims.article_id),
        now=site.now(),
        enlist=site.app.queue.enlist,
    )
    return Said(sentence=N_("Taken back: all is as it was.") if done.in_time else _TOO_LATE)


async def _follow(visit: Visit, slug: str) -> Said | None:
    site = visit.site
    outcome = await follow(
        site.app.db,
        subscriber_id=visit.person.id,
        slugs=[slug],
        now=site.now(),
        asking=visit.asking(),
        enlist=site.app.queue.enlist,
    )
    if outcome is FollowOutcome.UNKNOWN:
        return None
    names = [one.name for one in await channels_to_follow(site.app.db) if one.slug == slug]
    return Said(sentence=_FOLLOWED[outcome], channel=names[0] if names else slug)


async def _pause(visit: Visit, _: str) -> Said | None:
    site, typed = visit.site, visit.form.get("until", "")
    now, zone = site.now(), ZoneInfo(site.app.config.site.time_zone)
    try:
        until = read_day(typed, now=now, zone=zone)
    except InputError:
        problem = N_("Choose a day from tomorrow on, at most a year from now, such as {day}.")
        return Said(sentence=problem, problem="pause", typed=typed, day=a_week_on(now, zone))
    await pause(site.app.db, subscriber_id=visit.person.id, until=until, now=now)
    return None  # the page says until when, as it does from now on at every visit


async def _resume(visit: Visit, _: str) -> Said:
    await resume(visit.site.app.db, subscriber_id=visit.person.id)
    return Said(sentence=N_("Your alerts come again, from now on."))


async def _language(visit: Visit, _: str) -> Said | None:
    language = visit.form.get("language", "")
    if language and language not in visit.site.pages.languages():
        return None
    await set_language(visit.site.app.db, subscriber_id=visit.person.id, language=language or None)
    return Said(sentence=N_("Our pages and mails speak your language now."))


async def _address(visit: Visit, _: str) -> Said:
    """Ask the new address; the answer is the same, and takes the same time, whether we know that address or not."""
    site, typed, started = visit.site, visit.form.get("email", ""), time.monotonic()
    try:
        await ask_to_change(
            site.app.db,
            subscriber_id=visit.person.id,
            address=typed,
            now=site.now(),
            asking=visit.asking(),
            enlist=site.app.queue.enlist,
        )
    except AddressError:
        problem = N_("That is no address that we can mail to. Write it like name@example.com.")
        return Said(sentence=problem, problem="address", typed=typed)
    await answer_after(started)
    return Said(
        sentence=N_("We have sent a mail to the new address. Press the button in it, and your alerts go there.")
    )


_TOO_LATE = N_("It is too late to take that back: it works for a minute. Follow the channel again below.")
_FOLLOWED = {
    FollowOutcome.FOLLOWS: N_("You follow {channel} now. The next article comes to you by mail."),
    FollowOutcome.ASKED: N_("We have sent you a mail. Press the button in it, and {channel} begins."),
    FollowOutcome.THROTTLED: N_(
        "You have had several mails of this kind already. Press the button in one of them, or try again tomorrow."
    ),
}
_Act = Callable[[Visit, str], Awaitable[Said | None]]
_OF_A_CHANNEL: Mapping[str, _Act] = {"leave": _leave, "follow": _follow}
_WISHES: Mapping[str, _Act] = {
    "leave-all": _leave_all,
    "undo": _undo,
    "pause": _pause,
    "resume": _resume,
    "language": _language,
    "address": _address,
}
