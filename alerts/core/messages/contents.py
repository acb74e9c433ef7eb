"""What a template may see: text cleaned and bounded, links checked, nothing that could be called. It renders nothing.

The bounds keep a mail under 90 KB of HTML and 150 KB in all whatever an article brings along (E20): the costliest
character takes 12 octets in quoted-printable, and a template shows each piece at most three times.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from alerts.core.addresses import mask
from alerts.core.language import declared_language
from alerts.core.messages.headers import ascii_domain, wire_address
from alerts.core.messages.mime import seal
from alerts.core.model import Article, Channel
from alerts.core.text import clean_line, excerpt, fold

TITLE = 300  # characters of a headline in the body
POINT = 320  # characters of a line of the summary
POINTS = 6  # lines of the summary
LEAD = 420  # characters of the body's beginning below a summary
LONE_LEAD = 700  # likewise where there is no summary
NAME = 60  # characters of a channel's, an author's, a source's name
NAMES = 8  # channels named one by one
ADDRESS_LINES = 6
DIGEST_TITLE = 160  # characters of a headline in a digest
DIGEST_COST = 480  # octets, of a headline or an address there; a costlier address gives way to our own page's
DIGEST_NAMES = 3  # channels named with one article there
DIGEST_NAME_COST = 120  # octets of one of these names
LONGEST_LINK = 2_000  # characters of an article's address
LONGEST_OWN_LINK = 200  # characters of the address in List-Unsubscribe (E11)

_ASTRAL_NONCHARACTERS = re.compile(
    "[" + "".join(chr(plane << 16 | 0xFFFE) + chr(plane << 16 | 0xFFFF) for plane in range(1, 17)) + "]"
)
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,70}\Z")
_OWN_LINK = re.compile(rf"(?=.{{1,{LONGEST_OWN_LINK}}}\Z)https?://[A-Za-z0-9!$&'*+;=:@/?._~%\[\]-]+\Z")
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 -./")  # costs an octet
_URL_SAFE = "!$&'()*+,;=:@/?-._~%"
_MIN_LEAD = 160  # characters: a shorter first paragraph takes the next one along
_ALIKE = 60  # characters: a lead that begins like the summary says nothing new


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteIdentity:
    """Who publishes, as every mail says it; raise ValueError for an address or URL that no mail can bear."""

    name: str
    url: str
    sender: str  # the address in From
    postal_address: str | None
    language: str
    time_zone: str
    links_to_site: bool = False  # an alert leads to our page about the article, not to the article itself

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", _site_url(self.url))
        object.__setattr__(self, "sender", wire_address(self.sender))

    @property
    def host(self) -> str:
        """The site's host as a name in ASCII, fit for a List-Id."""
        host = urlsplit(self.url).hostname or ""
        return f"{host.replace(':', '-')}.localhost" if ":" in host else host

    def link(self, *path: str) -> str:
        """Return the address of a page of ours."""
        return "/".join((self.url, *path))


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """One subscriber's own links in one mail."""

    manage: str
    unsubscribe: str

    def __post_init__(self) -> None:
        for link in (self.manage, self.unsubscribe):
            if not _OWN_LINK.match(link):
                raise ValueError(f"not a link that a header can bear (E11): {clean(link)[:30]!r}…")

    @classmethod
    def of(cls, site: SiteIdentity, *, manage: str, unsubscribe: str) -> Links:
        """Make the links from their tokens."""
        return cls(manage=site.link("m", manage), unsubscribe=site.link("u", unsubscribe))


def alert_contents(
    site: SiteIdentity, article: Article, channels: Sequence[Channel], links: Links, *, language: str
) -> dict[str, object]:
    """Return what the templates of an alert see."""
    web_url = site.link("a", str(article.id))
    own_url = None if site.links_to_site else safe_link(article.item.url)
    return {
        **_site_contents(site, language),
        **_channel_contents(channels),
        "article": _article_contents(site, article) | {"url": own_url or web_url},
        "web_url": web_url,
        "manage_url": _sealed(links.manage),
        "unsubscribe_url": _sealed(links.unsubscribe),
    }


def digest_contents(
    site: SiteIdentity,
    stories: Sequence[tuple[Article, Sequence[Channel]]],
    total: int,
    channels: Sequence[Channel],
    links: Links,
    *,
    language: str,
) -> dict[str, object]:
    """Return what the templates of a digest see: the articles to list with their channels, and how many there are."""
    return {
        **_site_contents(site, language),
        **_channel_contents(channels),
        "articles": [_digested(site, article, answered) for article, answered in stories],
        "total": total,
        "more": max(0, total - len(stories)),
        "pages": [
            {"name": _affordable_name(channel), "url": site.link("c", channel.slug)} for channel in channels[:NAMES]
        ],
        "manage_url": _sealed(links.manage),
        "unsubscribe_url": _sealed(links.unsubscribe),
    }


def confirmation_contents(
    site: SiteIdentity, channels: Sequence[Channel], confirm_url: str, *, language: str
) -> dict[str, object]:
    """Return what the templates of a confirmation see: nothing that the person at the form wrote (E13)."""
    return {**_site_contents(site, language), **_channel_contents(channels), "confirm_url": confirm_url}


def welcome_contents(
    site: SiteIdentity, channels: Sequence[Channel], latest: Sequence[Article], links: Links, *, language: str
) -> dict[str, object]:
    """Return what the templates of a welcome see; ``latest`` are the channels' newest articles, perhaps none."""
    return {
        **_site_contents(site, language),
        **_channel_contents(channels),
        "latest": [_headline(site, article) for article in latest],
        "manage_url": _sealed(links.manage),
        "unsubscribe_url": _sealed(links.unsubscribe),
    }


def manage_link_contents(site: SiteIdentity, manage: str, *, language: str) -> dict[str, object]:
    """Return what the templates of a link to the preferences see; ``manage`` is its token."""
    return {**_site_contents(site, language), "manage_url": _sealed(site.link("m", manage))}


def address_confirmation_contents(site: SiteIdentity, confirm_url: str, *, language: str) -> dict[str, object]:
    """Return what the templates of the question to a new address see: nothing that anybody typed (E13)."""
    return {**_site_contents(site, language), "confirm_url": confirm_url}


def address_changed_contents(site: SiteIdentity, new_email: str, *, language: str) -> dict[str, object]:
    """Return what the templates of the mail to a former address see: the new one, masked."""
    return {**_site_contents(site, language), "address": clean(mask(new_email), NAME)}


def trial_contents(site: SiteIdentity, *, language: str) -> dict[str, object]:
    """Return what the templates of a test mail see."""
    return _site_contents(site, language)


def safe_link(url: str | None) -> str | None:
    """Return an article's address in plain ASCII if it leads to the web, else None."""
    if url is None or len(url) > LONGEST_LINK:
        return None
    try:
        parts = urlsplit(clean(url))
        host, port = ascii_domain(parts.hostname or ""), parts.port
    except ValueError:  # "http://[", a port of letters, "..": no address
        return None
    if parts.scheme not in {"http", "https"}:
        return None
    place = f"{host}:{port}" if port else host
    query = f"?{quote(parts.query, safe=_URL_SAFE)}" if parts.query else ""
    fragment = f"#{quote(parts.fragment, safe=_URL_SAFE)}" if parts.fragment else ""
    link = f"{parts.scheme}://{place}{quote(parts.path, safe=_URL_SAFE)}{query}{fragment}"
    return link if len(link) <= LONGEST_LINK else None


def clean(text: str, limit: int | None = None) -> str:
    """Return ``text`` as one line that XML, HTML and every encoder take, at most ``limit`` characters of it."""
    line = _ASTRAL_NONCHARACTERS.sub("", text)
    return clean_line(line) if limit is None else excerpt(line, limit)


def _site_url(url: str) -> str:
    """Check and tidy the site's address: ASCII, no slash at the end, short enough for List-Unsubscribe."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    place = f"[{host}]" if ":" in host else ascii_domain(host)
    tidy = f"{parts.scheme}://{place}{f':{parts.port}' if parts.port else ''}{parts.path.rstrip('/')}"
    if parts.scheme not in {"http", "https"} or tidy != quote(tidy, safe=_URL_SAFE + "[]"):
        raise ValueError(f"site.url must be http://… or https://…, not {clean(url)[:100]!r}")
    if len(tidy) > LONGEST_OWN_LINK - 60:  # room for /u/ and a token
        raise ValueError(f"site.url is too long: {len(tidy)} characters, at most {LONGEST_OWN_LINK - 60}")
    return tidy


def _sealed(url: str) -> str:
    """Seal the token at a link's end."""
    start, slash, token = url.rpartition("/")
    return f"{start}{slash}{seal(token)}" if _TOKEN.match(token) else url


def _site_contents(site: SiteIdentity, language: str) -> dict[str, object]:
    lines = (site.postal_address or "").splitlines()
    address = [tidy for line in lines[:ADDRESS_LINES] if (tidy := clean(line, 2 * NAME))]
    return {
        "site": {"name": clean(site.name, NAME), "url": site.url + "/", "postal_address": address},
        "language": declared_language(language) or "en",
    }


def _channel_contents(channels: Sequence[Channel]) -> dict[str, object]:
    names = [clean(channel.name, NAME) or channel.slug for channel in channels]
    return {"channel": names[0], "channels": names[:NAMES], "more_channels": len(names[NAMES:])}


def _article_contents(site: SiteIdentity, article: Article) -> dict[str, object]:
    item = article.item
    points = [point for line in item.summary[:POINTS] if (point := clean(line, POINT))]
    lead, source = _lead(item.body, points), clean(article.source_name, NAME)
    return {
        "title": clean(item.title, TITLE) or excerpt(lead, NAME) or source or site.name,
        "summary": points,
        "lead": lead,
        "author": clean(item.author or "", NAME),
        "source": source,
        "language": declared_language(item.language) or "",
        "day": _day(item.published_at, site.time_zone),
    }


def _headline(site: SiteIdentity, article: Article) -> dict[str, object]:
    """Return as much of an article as a list shows."""
    whole = _article_contents(site, article)
    link = (None if site.links_to_site else safe_link(article.item.url)) or site.link("a", str(article.id))
    return {**{name: whole[name] for name in ("title", "language", "day")}, "url": link}


def _digested(site: SiteIdentity, article: Article, channels: Sequence[Channel]) -> dict[str, object]:
    """Return as much of an article as a digest shows, with the channels that it is listed for."""
    shown, own = _headline(site, article), safe_link(article.item.url)
    fits = own is not None and _cost(own) <= DIGEST_COST and not site.links_to_site
    return {
        **shown,
        "title": _affordable(str(shown["title"]), DIGEST_TITLE, DIGEST_COST),
        "url": own if fits else site.link("a", str(article.id)),
        "channels": [_affordable_name(channel) for channel in channels[:DIGEST_NAMES]],
        "more_channels": len(channels[DIGEST_NAMES:]),
    }


def _affordable_name(channel: Channel) -> str:
    return _affordable(channel.name, NAME, DIGEST_NAME_COST) or channel.slug


def _affordable(text: str, limit: int, octets: int) -> str:
    """Cut ``text`` to so many characters, and further until a mail carries it in so many octets."""
    short = clean(text, limit)
    while _cost(short) > octets:
        limit -= 1 + limit // 10
        short = clean(text, limit)
    return short


def _cost(text: str) -> int:
    """Count the octets that a text takes in quoted-printable HTML, at most."""
    return sum(1 if one in _PLAIN else max(5, 3 * len(one.encode())) for one in text)


def _lead(body: str, points: Sequence[str]) -> str:
    """Return the beginning of the body, unless the summary is that already."""
    lead = ""
    for paragraph in body.split("\n\n"):
        lead = clean(f"{lead} {paragraph[: 2 * LONE_LEAD]}")
        if len(lead) >= _MIN_LEAD:
            break
    short = excerpt(lead, LEAD if points else LONE_LEAD)
    return "" if points and fold(short)[:_ALIKE] == fold(points[0])[:_ALIKE] else short


def _day(at: datetime | None, time_zone: str) -> dict[str, int] | None:
    """Return the day in the site's time zone; a bare date, which reads as midnight UTC, stays that day everywhere."""
    if at is None:
        return None
    day = (
        at if at.timetz().replace(tzinfo=None) == time() and not at.utcoffset() else at.astimezone(ZoneInfo(time_zone))
    )
    return {"year": day.year, "month": day.month, "day": day.day}
