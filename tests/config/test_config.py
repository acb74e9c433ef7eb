"""What the configuration file may say, what it then means, and how its mistakes are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.config import Config, Tls, extras, load_config
from alerts.config.show import shown
from alerts.core.errors import ConfigError
from alerts.core.model import Content, FirstPoll, FloodWatch, SourceKind

REPOSITORY = Path(__file__).parents[2]

Load = Callable[..., Config]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Give a function that loads a config from its text."""

    def load_text(text: str | bytes, environ: Mapping[str, str] | None = None) -> Config:
        path = tmp_path / "config.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return load_config(path, environ or {})

    return load_text


def complaint(load: Load, text: str | bytes, environ: Mapping[str, str] | None = None) -> str:
    """Return what is said about a wrong config."""
    with pytest.raises(ConfigError) as caught:
        load(text, environ)
    return str(caught.value)


def test_the_shipped_config_is_right_and_has_at_least_three_channels() -> None:
    config = load_config(REPOSITORY / "config.yaml", {})
    assert len(config.channels) >= 3
    assert "xiaomi" in {channel.slug for channel in config.channels}
    assert [relay.scheme for relay in config.mail.relays] == ["catcher"]


def test_what_is_left_out_has_its_default(load: Load, tmp_path: Path) -> None:
    config = load("{}")
    assert config.site.name == "EV Daily"
    assert config.site.url == "http://127.0.0.1:8000"
    assert config.site.postal_address is None
    assert config.database == f"sqlite:///{tmp_path}/var/alerts.db"
    assert (config.web.host, config.web.port) == ("127.0.0.1", 8000)
    assert config.mail.sender == "alerts@localhost"
    assert [(relay.url, relay.host, relay.port) for relay in config.mail.relays] == [("catcher:", "127.0.0.1", 1025)]
    assert [source.location for source in config.sources] == [str(tmp_path / "seeds")]
    assert config.channels == ()


def test_a_source_is_held_by_its_habit_a_number_or_never(load: Load) -> None:
    written = ("", ", flood: auto", ", flood: 200", ", flood: off")
    read = [load(f"sources: [{{folder: a{text}}}]").sources[0].flood for text in written]
    assert read == [FloodWatch.AUTO, FloodWatch.AUTO, 200, FloodWatch.OFF]
    assert shown(load("sources: [{feed: 'https://e.example/f', flood: 200}]"))["sources"][0]["flood"] == 200
    assert "write auto, off, or a number of articles" in complaint(load, "sources: [{folder: a, flood: 0}]")


def test_finished_mails_are_kept_for_a_month_or_as_long_as_is_said(load: Load) -> None:
    assert load("{}").retention.deliveries == timedelta(days=30)
    assert load("retention: {deliveries: 90d}").retention.deliveries == timedelta(days=90)
    assert load("retention: {deliveries: null}").retention.deliveries is None
    assert "write 1d or more" in complaint(load, "retention: {deliveries: 5m}")
    assert "retention.confirmations" in complaint(load, "retention: {confirmations: 5d}")


def test_the_catcher_is_written_as_a_url_that_yaml_would_not_take(load: Load) -> None:
    for text in ("mail:\n  relays:\n    - url: catcher:   # built in\n", "mail: {relays: [{url: catcher:}]}\n"):
        assert load(text).mail.relays[0].scheme == "catcher"


def test_no_and_half_past_ten_and_010_mean_what_was_written(load: Load) -> None:
    config = load(
        "site: {name: no, language: no, postal_address: 22:30}\n"
        "channels: [{slug: 010, name: 1e3, query: 22:30 OR no}]\n"
        "mail: {relays: [{url: 'smtp://127.0.0.1', connections: 010}]}\n"
        "sources: [{feed: 'https://example.com/f', allow_private: no}]\n"
    )
    assert (config.site.name, config.site.language, config.site.postal_address) == ("no", "no", "22:30")
    assert (config.channels[0].slug, config.channels[0].name) == ("010", "1e3")
    assert config.channels[0].query == "22:30 OR no"
    assert config.mail.relays[0].connections == 10
    assert config.sources[0].allow_private is False


def test_a_relay_has_its_limits_and_its_password_from_a_file(load: Load, tmp_path: Path) -> None:
    (tmp_path / "relay").write_text("s3cret pass\n")
    relay = load(
        "mail:\n  relays:\n    - url: smtp://news%40ex.org@relay.example\n      password_file: relay\n"
        "      rate: 5000/h\n      weight: 3\n      messages_per_connection: 20\n"
    ).mail.relays[0]
    assert (relay.host, relay.port, relay.username, relay.tls) == ("relay.example", 587, "news@ex.org", Tls.REQUIRED)
    assert relay.password is not None
    assert relay.password.get_secret_value() == "s3cret pass"
    assert relay.rate == pytest.approx(5000 / 3600)
    assert (relay.weight, relay.messages_per_connection, relay.connections) == (3, 20, 8)


@pytest.mark.parametrize(
    ("url", "host", "port", "tls"),
    [
        ("smtp://127.0.0.1:2525", "127.0.0.1", 2525, Tls.OPPORTUNISTIC),
        ("smtp://relay.example", "relay.example", 25, Tls.OPPORTUNISTIC),
        ("smtps://relay.example", "relay.example", 465, Tls.OPPORTUNISTIC),
        ("smtp://me@localhost", "localhost", 587, Tls.OPPORTUNISTIC),
        ("smtp://[::1]:25", "::1", 25, Tls.OPPORTUNISTIC),
    ],
)
def test_a_relay_url_names_host_and_port(load: Load, url: str, host: str, port: int, tls: Tls) -> None:
    relay = load(f"mail: {{relays: [{{url: '{url}'}}]}}").mail.relays[0]
    assert (relay.host, relay.port, relay.tls) == (host, port, tls)


def test_sources_have_kinds_names_and_times(load: Load, tmp_path: Path) -> None:
    feed, folder, endless = load(
        "sources:\n"
        "  - feed: https://www.example.com/feed.xml?x=1\n    every: 90s\n    first_poll: alert\n    max_age: 2d\n"
        "  - folder: ../news\n    name: the desk\n"
        "  - feed: https://example.org/\n    max_age: null\n"
    ).sources
    assert (feed.kind, feed.name, feed.every) == (SourceKind.FEED, "example.com/feed.xml?x=1", timedelta(seconds=90))
    assert (feed.first_poll, feed.max_age) == (FirstPoll.ALERT, timedelta(days=2))
    assert (folder.location, folder.name, folder.max_age) == (str(tmp_path.parent / "news"), "the desk", None)
    assert (endless.max_age, endless.first_poll, endless.every) == (None, FirstPoll.SEEN, timedelta(minutes=5))


def test_an_interval_that_is_written_is_meant_and_one_that_is_not_follows_the_feed(load: Load) -> None:
    written, left_out, both, slow, folder = load(
        "sources:\n"
        "  - feed: https://a.example/\n    every: 10m\n"
        "  - feed: https://b.example/\n"
        "  - feed: https://c.example/\n    every: 1m\n    every_at_most: 6h\n"
        "  - feed: https://d.example/\n    every_at_most: 2h\n"
        "  - folder: news\n"
    ).sources
    assert (written.every, written.every_at_most) == (timedelta(minutes=10), None)
    assert (left_out.every, left_out.every_at_most) == (timedelta(minutes=5), timedelta(hours=1))
    assert (both.every, both.every_at_most) == (timedelta(minutes=1), timedelta(hours=6))
    assert (slow.every, slow.every_at_most) == (timedelta(minutes=5), timedelta(hours=2))
    assert folder.every_at_most is None


def test_a_feed_says_which_text_is_the_article(load: Load) -> None:
    config = load(
        "sources:\n  - feed: https://a.example/\n  - feed: https://b.example/\n    content: page\n"
        "  - feed: https://c.example/\n    content: summary\n  - folder: news\n"
    )
    assert [one.content for one in config.sources] == [Content.CONTENT, Content.PAGE, Content.SUMMARY, Content.CONTENT]
    assert [one.get("content") for one in shown(config)["sources"]] == ["content", "page", "summary", None]


def test_pages_without_the_extra_are_a_mistake_that_says_what_to_install(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "_EXTRACTOR", "an_extractor_that_is_not_there")

    said = complaint(load, "sources:\n  - feed: https://a.example/\n    content: page\n")

    assert ":3:" in said
    assert "pip install 'news-alert[page]'" in said
    assert load("sources: [{feed: 'https://a.example/', content: summary}]").sources[0].content is Content.SUMMARY


def test_every_mistake_is_told_at_once_in_the_order_of_the_file(load: Load) -> None:
    said = complaint(
        load,
        "site:\n  name: A\n  ulr: http://x\n  time_zone: europe/berlin\nchanels: []\nmail:\n  sender: nobody\n"
        "web:\n  listen: 8000\nsite:\n  name: B\n",
    ).splitlines()
    assert [line.split(": ")[0].rpartition("/")[2] for line in said] == [
        *("config.yaml:3", "config.yaml:4", "config.yaml:5", "config.yaml:7", "config.yaml:9", "config.yaml:10"),
    ]
    assert "'site.ulr'; did you mean 'url'?" in said[0]
    assert "did you mean 'Europe/Berlin'?" in said[1]
    assert "'chanels'; did you mean 'channels'?" in said[2]


MISTAKES = [
    ("site: {url: ftp://x}", "http://… or https://…"),
    ("site: {url: 'http://x/?a=b'}", "before any '?'"),
    ("site: {url: 'http://user:pw@x/'}", "user or a password"),
    ("site: {url: 'http://münchen.de'}", "xn--"),
    ("site: {url: 'http://x:99999'}", "host and port"),
    ("site: {url: 'http://-x-/'}", "not the name of a host"),
    ("site: {language: english}", "language tag"),
    ("site: {language: ''}", "language tag"),
    ("site: {time_zone: Mars/Olympus}", "time zone"),
    ("site: {time_zone: ../../etc/passwd}", "time zone"),
    ("site: {time_zone: Europe}", "time zone"),
    ('site: {name: "a\\r\\nBcc: x@y"}', "U+000D"),
    ('site: {name: "a\\u202Eb"}', "U+202E"),
    ("site: {name: ' '}", "empty"),
    ("site: {name: }", "empty"),
    ("site: {name: [a]}", "single value"),
    ("site: hello", "'key: value' lines"),
    ("site:", "'key: value' lines"),
    ("database: mysql://x/y", "postgresql://USER@HOST/NAME"),
    ("database: sqlite://var/alerts.db", "sqlite:///var/alerts.db"),
    ("database: 'sqlite:///:memory:'", "needs a file"),
    ("database: 'sqlite://'", "needs a file"),
    ("database: 'sqlite:///x?mode=ro'", "no parameters"),
    ("database: postgresql://host", "name the database"),
    ("database: postgresql://me@host/x\ndatabase_password_file: nowhere", "cannot be read"),
    ("web: {listen: 127.0.0.1}", "HOST:PORT"),
    ("web: {listen: '::1:80'}", "brackets"),
    ("web: {listen: 'x:70000'}", "HOST:PORT"),
    ("mail: {sender: 'A <a@b.example>'}", "display name"),
    ("mail: {sender: 'a@b@c d'}", "not an address"),
    ("mail: {relays: []}", "names no relay"),
    ("mail: {relays: {url: 'smtp://x'}}", "list"),
    ("mail: {relays: [{tls: none}]}", "'mail.relays[0].url' is missing"),
    ("mail: {relays: [{url: 'http://x'}]}", "smtp://HOST:PORT"),
    ("mail: {relays: [{url: 'smpt://x'}]}", "did you mean smtp:?"),
    ("mail: {relays: [{url: 'smtp://me:pw@x'}]}", "password_file"),
    ("mail: {relays: [{url: 'smtp://x/path'}]}", "nothing may follow"),
    ("mail: {relays: [{url: 'smtp://x', tls: requierd}]}", "did you mean required?"),
    ("mail: {relays: [{url: 'smtp://x', connections: 0}]}", "whole number from 1"),
    ("mail: {relays: [{url: 'smtp://x', connections: 1.5}]}", "whole number"),
    ("mail: {relays: [{url: 'smtp://x', connections: ٣}]}", "whole number"),
    ("mail: {relays: [{url: 'smtp://x', rate: 100}]}", "not a rate"),
    ("mail: {relays: [{url: 'smtp://x', rate: 0/s}]}", "not a rate"),
    ("mail: {relays: [{url: 'smtp://x'}, {url: 'smtp://x'}]}", "more than once"),
    ("mail: {relays: [{url: 'smtp://x', pasword_file: x}]}", "did you mean 'password_file'?"),
    ("mail: {catcher: {listen: 0.0.0.0:1025}}", "loopback"),
    ("sources: [{every: 5m}]", "'folder' or 'feed'"),
    ("sources: [{folder: a, feed: 'http://x/'}]", "not both"),
    ("sources: [seeds]", "'key: value' lines"),
    ("sources: [{folder: a, allow_private: true}]", "unknown key 'sources[0].allow_private'"),
    ("sources: [{folder: a}, {folder: ./a}]", "more than once"),
    ("sources: [{feed: 'file:///etc/passwd'}]", "http://… or https://…"),
    ("sources: [{feed: 'http://x/', every: 5}]", "30s, 5m, 48h or 2d"),
    ("sources: [{feed: 'http://x/', every: -5m}]", "30s, 5m, 48h or 2d"),
    ("sources: [{feed: 'http://x/', every: 100ms}]", "too often"),
    ("sources: [{feed: 'http://x/', every: 2h, every_at_most: 1h}]", "shorter than 'every'"),
    ("sources: [{folder: a, every_at_most: 1h}]", "unknown key 'sources[0].every_at_most'"),
    ("sources: [{feed: 'http://x/', max_age: 999999d}]", "at most"),
    ("sources: [{feed: 'http://x/', first_poll: no}]", "write seen or alert"),
    ("sources: [{feed: 'http://x/', allow_private: maybe}]", "neither true nor false"),
    ("sources: [{feed: 'http://x/', content: pages}]", "did you mean page?"),
    ("sources: [{folder: a, content: page}]", "unknown key 'sources[0].content'"),
    ("channels: [{slug: A b, name: x, query: y}]", "such as a-b"),
    ("channels: [{slug: ../x, name: x, query: y}]", "not a slug"),
    ("channels: [{slug: x, name: X, query: y}, {slug: x, name: Y, query: z}]", "more than once"),
    ("channels: [{slug: x, name: X}]", "'channels[0].query' is missing"),
    ("channels: [{slug: x, name: X, query: 'a AND'}]", "'channels[0].query'"),
    ("templates: nowhere", "there is no folder"),
    ("<<: {a: b}", "unknown key '<<'"),
]


@pytest.mark.parametrize(("text", "hint"), MISTAKES, ids=[text for text, _ in MISTAKES])
def test_a_mistake_is_told_with_its_line_and_what_was_meant(load: Load, text: str, hint: str) -> None:
    said = complaint(load, text)
    assert hint in said
    assert "config.yaml:" in said


UNREADABLE = [
    (b"", "empty"),
    (b"# nothing\n", "empty"),
    (b"null", "empty"),
    (b"- a\n- b\n", "config.yaml:1: the file must hold"),
    (b"hello", "config.yaml:1: the file must hold"),
    (b"site:\n\tname: x\n", "config.yaml:2: this is not YAML: a tab"),
    (b"site: {name: x\n", "not YAML"),
    (b"site:\n  name: a: b\n", "config.yaml:2: this is not YAML: a second ': '"),
    (
        b'site:\n  name: "a" OR b\n',
        "config.yaml:2: this is not YAML: text goes on behind a closing quote; put the whole value",
    ),
    (b"site: \xff\n", "config.yaml:1: byte 6 is not UTF-8"),
    ("site:\n".encode("utf-16"), "not UTF-8"),
    (b"site: \x00", "not YAML"),
    (b"a: 1\n---\nb: 2\n", "config.yaml:2: a second document"),
    (b"site: &a [*a]\n", "the alias *a stands for nothing"),
    (b"site: *a\n", "the alias *a stands for nothing"),
    (b"site: !!python/object:os.system x\n", "tags such as"),
    (b"? [a]\n: b\n", "a key must be a word"),
    (b"[" * 5000, "levels deep"),
    (b"{a: " * 5000, "levels deep"),
    (b"site: {}\nsite: {}\n", "config.yaml:2: the key 'site' is given twice; the first is at"),
    (
        b"a: &a [x,x,x,x,x,x,x,x,x,x]\n"
        + b"".join(
            b"%c: &%c [%s]\n" % (after, after, b",".join([b"*%c" % before] * 10))
            for before, after in zip(range(97, 110), range(98, 111), strict=True)
        ),
        "aliases counted",
    ),
    (b"x" * (5 << 20), "larger than 2 MiB"),
    (b"%YAML 9.9\n---\na: b\n", "not YAML"),
    (b'a: "\\ud800"\n', "config.yaml"),
]


@pytest.mark.parametrize(("content", "hint"), UNREADABLE, ids=[repr(content[:30]) for content, _ in UNREADABLE])
def test_what_is_no_config_at_all_is_refused_clearly(load: Load, content: bytes, hint: str) -> None:
    assert hint in complaint(load, content)


def test_a_file_that_is_not_there_or_a_folder_is_refused_clearly(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_config(tmp_path / "config.yaml", {})
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path, {})
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(Path("a\0b"), {})


def test_the_environment_names_the_file_and_overrides_every_key(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("site: {name: A}\nchannels: [{slug: x, name: X, query: x}]\n")
    config = load_config(
        None,
        {
            "ALERTS_CONFIG": str(tmp_path / "other.yaml"),
            "ALERTS_SITE__NAME": "no: [such, thing",
            "ALERTS_DATABASE": "sqlite:///elsewhere.db",
            "ALERTS_CHANNELS": '[{"slug": "byd", "name": "BYD", "query": "tag:BYD"}]',
            "ALERTS_MAIL__RELAYS": "[{url: catcher:}]",
            "ALERTS_MAIL__RELAYS__1__URL": "smtp://127.0.0.1:2525",
            "ALERTS_SERVICE_HOST": "10.0.0.1",
            "ALERTS_LOG_FORMAT": "json",
            "HOME": "/root",
        },
    )
    assert config.site.name == "no: [such, thing"
    assert config.database == f"sqlite:///{tmp_path}/elsewhere.db"
    assert [channel.slug for channel in config.channels] == ["byd"]
    assert [relay.url for relay in config.mail.relays] == ["catcher:", "smtp://127.0.0.1:2525"]


@pytest.mark.parametrize(
    ("variable", "value", "hint"),
    [
        ("ALERTS_SITE__ULR", "http://x", "ALERTS_SITE__ULR: unknown key 'site.ulr'; did you mean 'url'?"),
        ("ALERTS_CHANELS__0", "x", "ALERTS_CHANELS__0: unknown key 'chanels'; did you mean 'channels'?"),
        ("ALERTS_CHANELS", "[]", "did you mean ALERTS_CHANNELS?"),
        ("ALERTS_SITE__URL", "", "ALERTS_SITE__URL: 'site.url' is empty"),
        ("ALERTS_SITE__URL", "nope", "ALERTS_SITE__URL: "),
        ("ALERTS_SITE", "[a", "ALERTS_SITE: this is not YAML"),
        ("ALERTS_CHANNELS", "{}", "ALERTS_CHANNELS: 'channels' must be a list"),
        ("ALERTS_CHANNELS", "xiaomi", "must be a list"),
        ("ALERTS_CHANNELS__7__SLUG", "x", "number of an item"),
        ("ALERTS_SITE__NAME__FIRST", "x", "nothing can be set inside"),
        ("ALERTS_SITE__", "x", "unknown key"),
        ("ALERTS___", "x", "ALERTS___"),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(load: Load, variable: str, value: str, hint: str) -> None:
    assert hint in complaint(load, "site:\n  name: A\n", {variable: value})


def test_a_password_shows_nowhere(load: Load, tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("hunter2")
    config = load(
        "database: postgresql://me@db/alerts\ndatabase_password_file: pw\n"
        "mail: {relays: [{url: 'smtp://me@relay.example', password_file: pw}]}\n"
    )
    assert config.database == "postgresql://me:hunter2@db/alerts"
    assert "hunter2" not in repr(config)
    assert "hunter2" not in str(shown(config))
    for text in (
        "mail: {relays: [{url: 'smtp://me:hunter2@relay.example'}]}",
        "mail: {relays: [{url: 'smtp://me:hun@ter2@relay.example:x'}]}",
        "mail: {relays: [{url: 'smtp:/me:hunter2@relay.example'}]}",
        "database: 'postgresql://me:hunter2 @db/alerts'",
        "database: 'postgresql://me:hunter2/@db:x/alerts'",
        "database: 'postgresq://me:hunter2@db/alerts'",
        "sources: [{feed: 'https://me:hunter2@x/'}]",
        "sources: [{feed: 'https://me:hunter2@x:y/'}]",
    ):
        said = complaint(load, text)
        assert "hunter2" not in said
        assert "ter2" not in said


@pytest.mark.parametrize("content", [b"", b"\n", b"a\nb\n", b"\xff", b"x" * 5000])
def test_a_password_file_must_hold_one_line(load: Load, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "pw").write_bytes(content)
    said = complaint(load, "mail: {relays: [{url: 'smtp://me@x', password_file: pw}]}")
    assert "config.yaml:1: 'password_file'" in said


def test_a_password_without_a_user_is_a_mistake(load: Load, tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("x")
    assert "no user" in complaint(load, "mail: {relays: [{url: 'smtp://relay.example', password_file: pw}]}")
    assert "needs a URL with a user" in complaint(load, "database: postgresql://db/x\ndatabase_password_file: pw")


def test_what_is_shown_is_a_config_that_means_the_same(load: Load) -> None:
    config = load((REPOSITORY / "config.yaml").read_text())
    again = load(str(shown(config)).replace("None", "null"))
    assert again == config


def test_repeats_by_alias_are_fine_while_they_are_few(load: Load) -> None:
    config = load("mail:\n  relays:\n    - &a {url: 'smtp://a', rate: &r 100/s}\n    - {url: 'smtp://b', rate: *r}\n")
    assert [relay.rate for relay in config.mail.relays] == [100.0, 100.0]


KEYS = st.sampled_from(
    [
        "site",
        "name",
        "url",
        "mail",
        "relays",
        "sources",
        "feed",
        "folder",
        "channels",
        "slug",
        "query",
        "every",
        "x",
        "web",
    ]
)
SCALARS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["catcher:", "5m", "100/s", "null", "smtp://a:b@c", "http://[", "sqlite:///x", "*a", "&a b", "!!int 3"]
    ),
)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.one_of(st.text(), TREES.map(str), TREES.map(lambda tree: str(tree).replace("'", ""))))
def test_no_text_gives_anything_but_a_config_or_a_config_error(load: Load, text: str) -> None:
    try:
        load(text.encode("utf-8", "surrogatepass"))
    except ConfigError as error:
        assert str(error)  # noqa: PT017 - either way is right


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    environ=st.dictionaries(
        st.lists(st.one_of(KEYS.map(str.upper), st.sampled_from(["0", "1", "", "²"])), min_size=1, max_size=4).map(
            lambda parts: "ALERTS_" + "__".join(parts)
        ),
        st.one_of(SCALARS, TREES.map(str)),
        max_size=4,
    )
)
def test_no_environment_gives_anything_but_a_config_or_a_config_error(load: Load, environ: dict[str, str]) -> None:
    try:
        load("site: {name: A}\nsources: [{folder: a}]\n", environ)
    except ConfigError as error:
        assert str(error)  # noqa: PT017 - either way is right
