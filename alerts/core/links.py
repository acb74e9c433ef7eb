"""Links to articles: the form that we show, and the canonical one, the key under which two links are one."""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from urllib.parse import SplitResult, quote, unquote_to_bytes, urljoin, urlsplit, urlunsplit

MAX_URL = 2_000  # characters; longer ones are no article's address, and would not fit a database's index
_MAX_RAW = 8_000  # characters with everything that falls away
_DEFAULT_PORTS = frozenset({None, 80, 443})
_HOST = re.compile(r"\A[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\Z")
_SURROGATE = re.compile("[\ud800-\udfff]")
_TRACKING_PREFIXES = ("utm_", "mtm_", "pk_", "piwik_", "matomo_", "at_medium", "at_campaign", "amp_")
# fmt: off
_TRACKING = frozenset((
    "fbclid", "gclid", "dclid", "gbraid", "wbraid", "gclsrc", "msclkid", "yclid", "ysclid", "twclid", "ttclid",
    "li_fat_id", "igshid", "igsh", "epik", "rdt_cid", "mc_cid", "mc_eid", "mkt_tok", "vero_id", "vero_conv",
    "oly_anon_id", "oly_enc_id", "_hsenc", "_hsmi", "__hstc", "__hssc", "__hsfp", "hsctatracking", "ref_src",
    "ref_url", "cmpid", "icid", "ncid", "s_cid", "wt_mc", "xtor", "smid", "_ga", "_gl", "_openstat", "ftag", "ito",
    "srsltid", "dm_i", "wickedid", "amp",
))
# fmt: on
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_LINK_SAFE = "-._~!$&'()*+,;=:@/?%"
_SEGMENT_SAFE = "-._~!$&'()*+,;=:@"
_QUERY_SAFE = "-._~!$'()*,;:@/?"
_AMP_CACHE = "cdn.ampproject.org"
_AMP_TAIL = re.compile(r"(?:\.amp)+(\.html?)?\Z", re.IGNORECASE)


def canonical_url(url: str) -> str | None:
    """Return the form that all links to one page share, or None where ``url`` is no address on the web.

    Scheme, case, ``www.``, default port, user, trailing slash, order of parameters, tracking parameters, fragment
    and AMP dressing make no difference. Anything may come in; ``canonical_url(canonical_url(x))`` changes nothing.

    >>> canonical_url("HTTP://WWW.Example.com:80/News/?utm_source=rss#top")
    'https://example.com/News'
    """
    if len(url) > _MAX_RAW:
        return None
    while (canonical := _step(url)) is not None and canonical != url:
        url = canonical
    return canonical


def web_link(link: str, *, base: str = "") -> str | None:
    """Return a link that may stand in a mail: absolute, http or https, in ASCII, without a user; None where it is none.

    A relative one is taken from ``base``. ``javascript:``, ``data:`` and the like are none.
    """
    link = _SURROGATE.sub("\ufffd", _CONTROL.sub("", link)).strip()
    if not link or len(link) > _MAX_RAW:
        return None
    try:
        parts = urlsplit(urljoin(base, link))
        host, port = _ascii_host(parts), parts.port
    except ValueError:
        return None
    if host is None:
        return None
    path = quote(parts.path, safe=_LINK_SAFE)
    netloc = host if port is None else f"{host}:{port}"
    return urlunsplit(
        (parts.scheme, netloc, path, quote(parts.query, safe=_LINK_SAFE), quote(parts.fragment, safe=_LINK_SAFE))
    )


def _step(url: str) -> str | None:
    """Normalise once; what an AMP cache wrapped comes out and needs the next round."""
    try:
        parts = urlsplit(_SURROGATE.sub("\ufffd", url).strip())
        host, port = _host(parts), parts.port
    except ValueError:
        return None
    if host is None:
        return None
    segments, query = _segments(parts.path), _query(parts.query)
    host, segments = _outside_amp_cache(host, segments)
    if port not in _DEFAULT_PORTS:
        host = f"{host}:{port}"
    canonical = "".join(
        (f"https://{host}", *(f"/{segment}" for segment in segments), query and f"?{query}", _fragment(parts.fragment))
    )
    return canonical if len(canonical) <= MAX_URL else None


def _host(parts: SplitResult) -> str | None:
    """Return the host in ASCII, without ``www.`` and ``amp.``; None where there is none."""
    host = _ascii_host(parts)
    while host is not None and host.startswith(("www.", "amp.")) and "." in host[4:]:
        host = host[4:]
    return host


def _ascii_host(parts: SplitResult) -> str | None:
    """Return the host in ASCII and lower case; None where there is none on the web; raise ValueError for an odd one."""
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return None
    if ":" in parts.hostname:
        return f"[{IPv6Address(parts.hostname.partition('%')[0])}]"  # a scope means something on one machine only
    host = parts.hostname.rstrip(".").encode("idna").decode("ascii").lower()
    return host if _HOST.match(host) else None


def _segments(path: str) -> list[str]:
    """Resolve dots, encode each segment one way, drop empty ones and the marks of AMP."""
    segments: list[str] = []
    for raw in path.split("/"):
        segment = quote(unquote_to_bytes(raw), safe=_SEGMENT_SAFE)
        if segment == "..":
            segments = segments[:-1]
        elif segment not in {"", "."}:
            segments.append(segment)
    while len(segments) > 1 and segments[-1].lower() == "amp":
        segments.pop()
    if segments:
        segments[-1] = _AMP_TAIL.sub(r"\1", segments[-1])
    return segments


def _outside_amp_cache(host: str, segments: list[str]) -> tuple[str, list[str]]:
    """Turn an AMP cache's address into that of the page it keeps."""
    in_cache = host == _AMP_CACHE or host.endswith(f".{_AMP_CACHE}")
    if not in_cache and not (host.startswith("google.") and segments[:1] == ["amp"]):
        return host, segments
    inner = segments[2:] if segments[1:2] == ["s"] else segments[1:]
    if not inner or not _HOST.match(inner[0].lower()) or "." not in inner[0]:
        return host, segments
    return inner[0].lower(), inner[1:]


def _query(query: str) -> str:
    """Encode parameters one way, sort them, drop those that only follow the reader around."""
    kept = []
    for parameter in query.split("&"):
        name, equals, value = (
            quote(unquote_to_bytes(part.replace("+", " ")), safe=_QUERY_SAFE) for part in parameter.partition("=")
        )
        if parameter and not _is_tracking(name.lower(), value.lower()):
            kept.append(f"{name}{'=' if equals else ''}{value}")
    return "&".join(sorted(kept))


def _is_tracking(name: str, value: str) -> bool:
    """Return whether a parameter says where the reader came from rather than what the page is."""
    return name in _TRACKING or name.startswith(_TRACKING_PREFIXES) or (name == "outputtype" and value == "amp")


def _fragment(fragment: str) -> str:
    """Keep a fragment only where it names the page, as in ``#!/news/7`` or ``#/news/7``."""
    if not fragment.startswith(("!", "/")):
        return ""
    return "#" + quote(unquote_to_bytes(fragment), safe=_QUERY_SAFE)
