"""The configuration in force, in the shape of the file: what `alerts config show` prints. It holds no secret."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from alerts.config.model import ChannelConfig, Config, ExampleConfig, Listen, Relay, SourceConfig
from alerts.core.model import SourceKind

HIDDEN = "********"
_URL_PASSWORD = re.compile(r"(?<=://)([^/@:]*):[^/]*@")
_QUERY_PASSWORD = re.compile(r"([?&](?:ssl)?password=)[^&]*", re.IGNORECASE)
_UNITS = (("w", 604800), ("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def shown(config: Config) -> dict[str, Any]:
    """Return the whole configuration as plain values; what is secret is replaced by stars."""
    return {
        "site": {
            "name": config.site.name,
            "url": config.site.url,
            "language": config.site.language,
            "time_zone": config.site.time_zone,
            "postal_address": config.site.postal_address,
        },
        "database": without_password(config.database),
        "retention": {"deliveries": _or_none(config.retention.deliveries)},
        "web": {
            "listen": _listen(config.web),
            "trusted_proxies": ", ".join(map(str, config.web.trusted_proxies)),
            "websub": config.web.websub.value,
        },
        "subscribe": {
            "welcome": config.subscribe.welcome,
            "proof_of_work": config.subscribe.proof_of_work,
            "mails_an_hour": config.subscribe.mails_an_hour,
        },
        "mail": {
            "sender": config.mail.sender,
            "links": config.mail.links.value,
            "relays": [_relay(relay) for relay in config.mail.relays],
            "catcher": {"listen": _listen(config.mail.catcher)},
        },
        "sources": [_source(source) for source in config.sources],
        "channels": [_channel(channel) for channel in config.channels],
        "matching": {"same_story": _or_none(config.matching.same_story)},
        "templates": str(config.templates) if config.templates else None,
        "aliases": {it.name: list(it.others) for it in config.aliases},
    }


def without_password(url: str) -> str:
    """Return a database's URL with stars in place of its password."""
    url = _URL_PASSWORD.sub(rf"\1:{HIDDEN}@", url)
    return _QUERY_PASSWORD.sub(rf"\1{HIDDEN}", url)


def _listen(listen: Listen) -> str:
    return f"[{listen.host}]:{listen.port}" if ":" in listen.host else f"{listen.host}:{listen.port}"


def _relay(relay: Relay) -> dict[str, Any]:
    return {
        "url": relay.url,
        **({"password": HIDDEN} if relay.password else {}),
        "tls": relay.tls.value,
        "connections": relay.connections,
        "rate": None if relay.rate is None else _rate(relay.rate),
        "weight": relay.weight,
        "messages_per_connection": relay.messages_per_connection,
    }


def _rate(per_second: float) -> str:
    for unit, seconds in reversed(_UNITS):
        if unit != "w" and (count := round(per_second * seconds, 6)) == int(count):
            return f"{int(count)}/{unit}"
    return f"{per_second:.3f}/s"


def _source(source: SourceConfig) -> dict[str, Any]:
    return {
        source.kind.value: source.location,
        "name": source.name,
        "every": _duration(source.every),
        **({"every_at_most": _or_none(source.every_at_most)} if source.every_at_most else {}),
        "first_poll": source.first_poll.value,
        "max_age": _or_none(source.max_age),
        **({"allow_private": source.allow_private} if source.kind is SourceKind.FEED else {}),
        **({"content": source.content.value} if source.kind is SourceKind.FEED else {}),
        "flood": source.flood if isinstance(source.flood, int) else source.flood.value,
    }


def _channel(channel: ChannelConfig) -> dict[str, Any]:
    data: dict[str, Any] = {"slug": channel.slug, "name": channel.name, "query": channel.query}
    for name, must in (("must", True), ("must_not", False)):
        examples = [_example(one) for one in channel.examples if one.must is must]
        data |= {name: examples} if examples else {}
    return data


def _example(example: ExampleConfig) -> dict[str, Any]:
    item = example.item
    if item is None:
        data: dict[str, Any] = {"file": str(example.file)}
    else:
        data = {
            "title": item.title,
            "summary": list(item.summary),
            "body": item.body,
            "tags": list(item.tags),
            "language": item.language,
        }
    return {key: value for key, value in (data | {"source": example.source}).items() if value}


def _or_none(length: timedelta | None) -> str | None:
    return None if length is None else _duration(length)


def _duration(length: timedelta) -> str:
    milliseconds = round(length.total_seconds() * 1000)
    for unit, seconds in _UNITS:
        if milliseconds % (seconds * 1000) == 0:
            return f"{milliseconds // (seconds * 1000)}{unit}"
    return f"{milliseconds}ms"
