"""What may be written for a value: text in, value out, or a ValueError that says what to write instead."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo, available_timezones

from babel import localedata

from alerts.config.extras import what_to_install
from alerts.config.problems import meant, suggestion
from alerts.core.model import Content, FloodWatch
from alerts.core.query import parse

E = TypeVar("E", bound=StrEnum)

_NUMBER = r"(?P<number>\d{1,9}(?:\.\d{1,3})?)"
_DURATION = re.compile(rf"{_NUMBER} ?(?P<unit>ms|s|m|h|d|w)", re.ASCII)
_RATE = re.compile(rf"{_NUMBER} ?/ ?(?P<unit>s|m|h|d)", re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z]{4})?(?:-(?:[A-Za-z]{2}|[0-9]{3}))?(?:-[A-Za-z0-9]{4,8})*", re.ASCII)
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII | re.IGNORECASE)
_MAILBOX = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*", re.ASCII)

LONGEST = timedelta(days=3650)


def line(text: str) -> str:
    """Read one line of text that people will see."""
    cleaned = unicodedata.normalize("NFC", text).strip()
    if not cleaned:
        raise ValueError("it is empty")
    if len(cleaned) > 200:  # noqa: PLR2004 - more is no name
        raise ValueError("it is longer than 200 characters")
    _refuse_controls(cleaned, allowed="")
    return cleaned


def lines(text: str) -> str:
    """Read some lines of text that people will see."""
    cleaned = unicodedata.normalize("NFC", text).strip()
    if len(cleaned) > 2000:  # noqa: PLR2004 - more is no address
        raise ValueError("it is longer than 2000 characters")
    _refuse_controls(cleaned, allowed="\n")
    return cleaned


def _refuse_controls(text: str, *, allowed: str) -> None:
    for character in text:
        if character not in allowed and unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}:
            raise ValueError(f"it holds the control character U+{ord(character):04X}")
        if character in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069":
            raise ValueError(f"it holds U+{ord(character):04X}, which turns text around")


def boolean(text: str) -> bool:
    """Read true or false; ``yes``, ``no``, ``on`` and ``off`` mean what they say."""
    folded = text.strip().casefold()
    if folded in {"true", "yes", "on"}:
        return True
    if folded in {"false", "no", "off"}:
        return False
    raise ValueError(f"{text!r} is neither true nor false")


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return the reader of a whole number between two bounds."""

    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text.strip(), re.ASCII) or not least <= int(text) <= most:
            raise ValueError(f"{text!r} is not a whole number from {least} to {most}")
        return int(text)

    return read


def duration(text: str) -> timedelta:
    """Read a length of time: ``90s``, ``5m``, ``48h``, ``2d``."""
    found = _DURATION.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is not a length of time; write a number and a unit, such as 30s, 5m, 48h or 2d")
    seconds = float(found["number"]) * _SECONDS[found["unit"]]
    if not 0 < seconds <= LONGEST.total_seconds():
        raise ValueError(f"{text!r} must be more than nothing and at most {LONGEST.days}d")
    return timedelta(seconds=seconds)


def poll_interval(text: str) -> timedelta:
    """Read how often to poll; below a second is no interval."""
    value = duration(text)
    if value < timedelta(seconds=1):
        raise ValueError(f"{text!r} is too often; write 1s or more")
    return value


def retention(text: str) -> timedelta:
    """Read how long to keep what is finished; below a day, today's mails could not be looked up."""
    value = duration(text)
    if value < timedelta(days=1):
        raise ValueError(f"{text!r} is too short; write 1d or more")
    return value


def rate(text: str) -> float:
    """Read how many a second, minute, hour or day: ``100/s``, ``5000/h``; return how many a second."""
    found = _RATE.fullmatch(text.strip())
    if not found or float(found["number"]) <= 0:
        raise ValueError(f"{text!r} is not a rate; write how many in which time, such as 100/s or 5000/h")
    return float(found["number"]) / _SECONDS[found["unit"]]


def networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Read addresses and networks by commas: ``127.0.0.1, 10.0.0.0/8, fd00::/8``."""
    found = []
    for part in filter(None, (one.strip() for one in text.split(","))):
        try:
            found.append(ip_network(part))
        except ValueError as error:
            hint = f"; the network is {ip_network(part, strict=False)}" if "host bits" in str(error) else ""
            raise ValueError(f"{part!r} is no address or network, such as 127.0.0.1 or 10.0.0.0/8{hint}") from error
    return tuple(found)


def slug(text: str) -> str:
    """Read a channel's name in URLs and headers."""
    if _SLUG.fullmatch(text) and len(text) <= 64:  # noqa: PLR2004 - a List-Id's label is at most 63, dots aside
        return text
    simple = re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")[:64]
    hint = f", such as {simple}" if simple else ""
    raise ValueError(f"{text!r} is not a slug; use lower-case letters, digits and single hyphens{hint}")


def query(text: str) -> str:
    """Read a channel's query; the parser says what is wrong with it."""
    parse(text)
    return text


def language(text: str) -> str:
    """Read a language tag, ``en`` or ``zh-Hant-TW``; return it in its usual case."""
    tag = text.replace("_", "-")
    if not _LANGUAGE.fullmatch(tag) or not localedata.exists(tag.split("-")[0].lower()):
        raise ValueError(f"{text!r} is not a language tag; write one such as en, de or zh-Hant")
    first, *rest = tag.split("-")
    return "-".join([first.lower(), *(_subtag(part) for part in rest)])


def _subtag(part: str) -> str:
    if len(part) == 4 and part.isalpha():  # noqa: PLR2004 - a script has four letters
        return part.title()
    return part.upper() if len(part) in {2, 3} else part.lower()


def time_zone(text: str) -> str:
    """Read the name of a time zone in the tz database."""
    try:
        ZoneInfo(text)
    except (ValueError, OSError, LookupError) as error:
        hint = suggestion(text, available_timezones()) or "; write one such as UTC or Europe/Berlin"
        raise ValueError(f"{text!r} is not a time zone{hint}") from error
    return text


def flood(text: str) -> FloodWatch | int:
    """Read when a source is held: ``auto``, ``off``, or a number of articles in 24 hours."""
    if re.fullmatch(r"[0-9]{1,7}", text.strip(), re.ASCII) and int(text) > 0:
        return int(text)
    if text.strip().casefold() in {"off", "false", "no"}:  # YAML's own way to say off
        return FloodWatch.OFF
    try:
        return FloodWatch(text)
    except ValueError:
        raise ValueError(f"{text!r} is not known; write auto, off, or a number of articles in 24 hours") from None


def one_of(kind: type[E]) -> Callable[[str], E]:
    """Return the reader of a choice."""

    def read(text: str) -> E:
        try:
            return kind(text)
        except ValueError:
            names = [member.value for member in kind]
            close = meant(text, names)
            hint = f"did you mean {close}?" if close else f"write {' or '.join(names)}"
            raise ValueError(f"{text!r} is not known; {hint}") from None

    return read


def content(text: str) -> Content:
    """Read which text of an item is the article's; one that cannot be had here says what to install."""
    chosen = one_of(Content)(text)
    missing = what_to_install(chosen)
    if missing is not None:
        raise ValueError(missing)
    return chosen


def web_url(text: str) -> str:
    """Read an http or https URL with a host, without a password."""
    parts = split_url(text)
    if parts.scheme.lower() not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{text!r} is not a web address; write http://… or https://…")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a web address here must not hold a user or a password")
    host(parts.hostname)
    return text


def site_url(text: str) -> str:
    """Read the base of every link that we put in a mail; return it without a slash at its end."""
    parts = split_url(web_url(text))
    if parts.query or parts.fragment or "?" in text or "#" in text:
        raise ValueError(f"{text!r} must end before any '?' or '#'; paths are added to it")
    if len(text) > 100:  # noqa: PLR2004 - E11: a link with its token has at most 200
        raise ValueError("it is longer than 100 characters, and the links in mails would be too long")
    return text.rstrip("/")


def split_url(text: str) -> SplitResult:
    """Split a URL, or raise ValueError for what is none; only printable ASCII may stand in one."""
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("it holds characters that a URL may not; encode them, a domain as xn--…")
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ValueError("it is not a URL; check its host and port") from None  # not shown: it may hold a password
    return parts


def host(text: str) -> str:
    """Read a host's name or IP address."""
    try:
        return str(ip_address(text))
    except ValueError:
        pass
    if not _HOST.fullmatch(text) or len(text) > 253 or text.rpartition(".")[2].isdigit():  # noqa: PLR2004 - DNS
        raise ValueError(f"{text!r} is not the name of a host")
    return text.lower()


def listen(text: str) -> tuple[str, int]:
    """Read where to listen: ``127.0.0.1:8000``, ``[::1]:8000``."""
    name, colon, number = text.strip().rpartition(":")
    if name.startswith("[") and name.endswith("]"):
        name = name[1:-1]
    elif ":" in name:
        raise ValueError(f"{text!r}: write an IPv6 address in brackets, such as [::1]:8000")
    if not colon or not name or not re.fullmatch(r"[0-9]{1,5}", number, re.ASCII) or int(number) > 65535:  # noqa: PLR2004 - a port
        raise ValueError(f"{text!r} is not an address to listen on; write HOST:PORT, such as 127.0.0.1:8000")
    return host(name), int(number)


def loopback_listen(text: str) -> tuple[str, int]:
    """Read where to listen, on this machine only."""
    name, port = listen(text)
    if not is_loopback(name):
        raise ValueError(f"{text!r} can be reached from outside; the catcher listens on a loopback address only")
    return name, port


def is_loopback(name: str) -> bool:
    """Return whether a host is this machine."""
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def sender(text: str) -> str:
    """Read the address that mails come from."""
    if "<" in text:
        raise ValueError(f"{text!r}: write the address alone; the display name is site.name")
    local, at, domain = text.strip().rpartition("@")
    if not at or not _MAILBOX.fullmatch(local) or len(local) > 64:  # noqa: PLR2004 - RFC 5321, 4.5.3.1.1
        raise ValueError(f"{text!r} is not an address; write one such as alerts@example.com")
    return f"{local}@{host(domain)}"
