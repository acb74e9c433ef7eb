"""Every option that there is: its name, what may be written, its default and what it is for."""

from __future__ import annotations

from datetime import timedelta

from alerts.config import values
from alerts.config.keys import Key
from alerts.config.model import Links, Tls, Websub
from alerts.core.model import Content, FirstPoll, FloodWatch

SITE = (
    Key(name="name", read=values.line, default="EV Daily", help="the site's name, and the sender's in every mail"),
    Key(
        name="url",
        read=values.site_url,
        default="http://127.0.0.1:8000",
        help="the base of every link that we put in a mail",
    ),
    Key(name="language", read=values.language, default="en", help="the language of pages and mails, such as en"),
    Key(name="time_zone", read=values.time_zone, default="UTC", help="of dates in mails, such as Europe/Berlin"),
    Key(
        name="postal_address",
        read=values.lines,
        default=None,
        nullable=True,
        help="the publisher's postal address, shown at the foot of every mail; many countries ask for it",
    ),
)

DATABASE = Key(
    name="database",
    read=str,
    default="sqlite:///var/alerts.db",
    help="sqlite:///FILE or postgresql://USER@HOST/NAME",
)
DATABASE_PASSWORD_FILE = Key(
    name="database_password_file",
    read=str,
    default=None,
    nullable=True,
    help="a file that holds the password of the PostgreSQL user",
)
RETENTION = (
    Key(
        name="deliveries",
        read=values.retention,
        default=timedelta(days=30),
        nullable=True,
        help="how long a finished mail's row is kept before only its count is; null for ever",
    ),
)
MATCHING = (
    Key(
        name="same_story",
        read=values.duration,
        default=timedelta(hours=48),
        nullable=True,
        help="for so long a story that another source tells too is mailed once; null for never",
    ),
)
TEMPLATES = Key(
    name="templates",
    read=str,
    default=None,
    nullable=True,
    help="a folder whose templates go before ours, laid out as ours are: email/alert/subject.txt and so on",
)

LISTEN = Key(
    name="listen",
    read=values.listen,
    default=("127.0.0.1", 8000),
    help="where the site listens, as HOST:PORT; 0.0.0.0 for all addresses",
)

TRUSTED_PROXIES = Key(
    name="trusted_proxies",
    read=values.networks,
    default=(),
    help="addresses or networks, by commas, of proxies whose X-Forwarded-For counts; none by default",
)
WEBSUB = Key(
    name="websub",
    read=values.one_of(Websub),
    default=Websub.AUTO,
    help="whether hubs that feeds name are asked for their news: auto (where they can reach site.url), always, never",
)
WEB = (LISTEN, TRUSTED_PROXIES, WEBSUB)

SUBSCRIBE = (
    Key(
        name="welcome",
        read=values.boolean,
        default=True,
        help="one mail after somebody's first confirmation, with the channel's latest articles",
    ),
    Key(
        name="proof_of_work",
        read=values.boolean,
        default=False,
        help="true lets a browser work for a second before a form counts; without JavaScript one waits instead",
    ),
    Key(
        name="mails_an_hour",
        read=values.whole(1, 1_000_000),
        default=1000,
        help="so many mails at most may all forms together cause in an hour",
    ),
)

LINKS = Key(
    name="links",
    read=values.one_of(Links),
    default=Links.ARTICLE,
    help="where an alert leads: article (to the article itself) or site (to our page about it)",
)

SENDER = Key(
    name="sender",
    read=values.sender,
    default="alerts@localhost",
    help="the address that mails come from; the display name is site.name",
)
CATCHER_LISTEN = Key(
    name="listen",
    read=values.loopback_listen,
    default=("127.0.0.1", 1025),
    help="where the built-in mail catcher listens, as HOST:PORT",
)

RELAY_URL = Key(name="url", read=str, help="catcher: (built in), smtp://USER@HOST:PORT, or smtps:// for TLS at once")
RELAY_PASSWORD_FILE = Key(
    name="password_file",
    read=str,
    default=None,
    nullable=True,
    help="a file that holds the password; a password in the URL is refused",
)
RELAY_TLS = Key(
    name="tls",
    read=values.one_of(Tls),
    default=None,
    help="required, opportunistic or none; by default required where there is a user, else opportunistic",
)
RELAY_LIMITS = (
    Key(
        name="connections",
        read=values.whole(1, 1000),
        default=8,
        help="so many connections at once, on each node",
    ),
    Key(
        name="rate",
        read=values.rate,
        default=None,
        nullable=True,
        help="at most so many, all nodes together: 100/s, 5000/h",
    ),
    Key(name="weight", read=values.whole(1, 1000), default=1, help="its share among the relays"),
    Key(
        name="messages_per_connection",
        read=values.whole(1, 1_000_000),
        default=100,
        help="a connection is replaced after so many messages",
    ),
)
RELAY_KEYS = tuple(key.name for key in (RELAY_URL, RELAY_PASSWORD_FILE, RELAY_TLS, *RELAY_LIMITS))

FOLDER = Key(name="folder", read=str, help="a folder of article files")
FEED = Key(name="feed", read=values.web_url, help="the URL of an RSS, Atom or JSON feed")
SOURCE_NAME = Key(name="name", read=values.line, default=None, help="its name in commands; by default from its place")
EVERY_FEED = Key(name="every", read=values.poll_interval, default=timedelta(minutes=5), help="how often it is polled")
EVERY_FOLDER = Key(
    name="every",
    read=values.poll_interval,
    default=timedelta(seconds=5),
    help="how often it is looked through; changes are noticed at once as well",
)
FIRST_POLL = Key(
    name="first_poll",
    read=values.one_of(FirstPoll),
    default=FirstPoll.SEEN,
    help="what the first poll does with what it finds: seen (mails nobody) or alert",
)
MAX_AGE_FEED = Key(
    name="max_age",
    read=values.duration,
    default=timedelta(hours=48),
    nullable=True,
    help="older at first sight: stored, not mailed; null for no limit",
)
MAX_AGE_FOLDER = Key(
    name="max_age",
    read=values.duration,
    default=None,
    nullable=True,
    help="older at first sight: stored, not mailed; null for no limit",
)
ALLOW_PRIVATE = Key(
    name="allow_private",
    read=values.boolean,
    default=False,
    help="true lets this feed be on a private or loopback address",
)
FLOOD = Key(
    name="flood",
    read=values.flood,
    default=FloodWatch.AUTO,
    help="auto holds what comes far beyond its habit, a number what comes beyond so many in 24 hours; or off",
)
EVERY_AT_MOST = Key(
    name="every_at_most",
    read=values.poll_interval,
    default=None,
    help="a quiet feed is polled less often, up to so long apart; 1h where no every is written, else as every says",
)
CONTENT = Key(
    name="content",
    read=values.content,
    default=Content.CONTENT,
    help="which text is the article: the feed's summary, its content, or the page behind the link (needs an extra)",
)
SOURCE_KEYS = (
    *("folder", "feed", "name", "every", "first_poll", "max_age", "allow_private", "flood", "every_at_most", "content"),
)

CHANNEL = (
    Key(name="slug", read=values.slug, help="its name in URLs and commands: lower-case letters, digits, hyphens"),
    Key(name="name", read=values.line, help="its name as readers see it"),
    Key(name="query", read=values.query, help="what it asks, such as 'tag:Xiaomi OR about:Xiaomi'"),
)

EXAMPLES = ("must", "must_not")  # lists of articles that the query must match, and must not
EXAMPLE_TITLE = Key(name="title", read=str, help="the headline of an example")
EXAMPLE_BODY = Key(name="body", read=str, default="", help="the text of an example")
EXAMPLE_LANGUAGE = Key(name="language", read=values.language, default=None, help="by default guessed from the text")
EXAMPLE_SOURCE = Key(name="source", read=values.line, default="", help="the name of the source it would come from")
EXAMPLE_FILE = Key(name="file", read=str, help="an article file, in place of title, summary, body, tags and language")
EXAMPLE_KEYS = ("title", "summary", "body", "tags", "language", "source")
EXAMPLE_FILE_KEYS = ("file", "source")

TOP = (
    "site",
    "database",
    "database_password_file",
    "retention",
    "web",
    "subscribe",
    "mail",
    "sources",
    "channels",
    "templates",
    "aliases",
    "matching",
)
