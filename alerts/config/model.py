"""The configuration as values: frozen, whole, every path absolute. How it is read is not here."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from pydantic import SecretStr

from alerts.core.model import Content, FirstPoll, FloodWatch, Item, SourceKind


class Tls(StrEnum):
    """Whether a relay must speak TLS."""

    REQUIRED = "required"  # TLS with a certificate that is checked, or no mail
    OPPORTUNISTIC = "opportunistic"  # TLS where the relay offers it
    NONE = "none"  # never


class Links(StrEnum):
    """Where an alert's links to the article lead."""

    ARTICLE = "article"  # to the article itself
    SITE = "site"  # to our web view of the alert


class Websub(StrEnum):
    """Whether hubs are asked to tell us of feeds' news."""

    AUTO = "auto"  # where the site's address is one that they can reach
    ALWAYS = "always"  # wherever the site is: for a hub in the same network
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Who publishes, as readers see it."""

    name: str
    url: str  # no slash at the end
    language: str
    time_zone: str
    postal_address: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """An address to listen on."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Web(Listen):
    """Where the site listens."""

    trusted_proxies: tuple[IPv4Network | IPv6Network, ...]  # whose word about a visitor's address counts
    websub: Websub


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe:
    """How readers subscribe by themselves."""

    welcome: bool  # a mail after the first confirmation
    proof_of_work: bool  # a form must bring one
    mails_an_hour: int  # that all forms together may cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """An SMTP server that we hand messages to."""

    url: str  # as configured; holds no password
    scheme: str  # smtp | smtps | catcher
    host: str
    port: int
    username: str | None
    password: SecretStr | None
    tls: Tls
    connections: int
    rate: float | None  # messages a second
    weight: int
    messages_per_connection: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """How mail leaves."""

    sender: str
    links: Links
    relays: tuple[Relay, ...]
    catcher: Listen


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long what is over is kept."""

    deliveries: timedelta | None  # finished ones, before they are only counted; None: for ever


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """How articles are matched."""

    same_story: timedelta | None  # for so long the same story from another source is mailed once; None: never


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceConfig:
    """A source that the file declares."""

    kind: SourceKind
    location: str  # a URL, or the folder's absolute path
    name: str
    every: timedelta
    first_poll: FirstPoll
    max_age: timedelta | None
    allow_private: bool
    flood: FloodWatch | int = FloodWatch.AUTO  # a number: so many in 24 hours
    every_at_most: timedelta | None = None  # None: polled every ``every``, whatever its pace
    content: Content = Content.CONTENT


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleConfig:
    """An article that a channel's query must match, or must not."""

    must: bool
    item: Item | None  # None: it is in ``file``
    file: Path | None  # absolute
    source: str  # the name of the source that it would come from; may be empty
    place: str = field(compare=False)  # file:line:column

    @property
    def label(self) -> str:
        """How an operator knows it again."""
        return str(self.file) if self.item is None else self.item.title


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelConfig:
    """A channel that the file declares."""

    slug: str
    name: str
    query: str
    examples: tuple[ExampleConfig, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasesConfig:
    """The other names of one thing, as the file declares them."""

    name: str
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole configuration."""

    site: Site
    database: str = field(repr=False)  # may hold a password
    retention: Retention
    web: Web
    subscribe: Subscribe
    mail: Mail
    sources: tuple[SourceConfig, ...]
    channels: tuple[ChannelConfig, ...]
    matching: Matching
    templates: Path | None  # mail templates here go before ours
    path: Path
    folder: Path  # of the config file; relative paths start here
    aliases: tuple[AliasesConfig, ...] = ()
