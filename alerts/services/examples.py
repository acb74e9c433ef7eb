"""Examples: try each channel's query on the articles that its config says it must match, and must not.

A query is code, and these are its tests: a config whose examples fail is refused before any row follows it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import tzinfo

from alerts.config import ChannelConfig
from alerts.config.model import ExampleConfig
from alerts.core.errors import ArticleError, ConfigError, QueryError
from alerts.core.model import Item
from alerts.core.query import Query, evaluate, parse, prepare
from alerts.core.text import excerpt
from alerts.sources.folder import FileGoneError, look_at, read_file
from alerts.sources.formats import read_items

MOST_TOLD = 50
_QUOTED = 80  # characters of an example
_LONGEST_WHY = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An example that does not hold."""

    slug: str
    example: ExampleConfig
    why: str  # the verdict's reason, or why the example cannot be read

    def __str__(self) -> str:
        kind = "must" if self.example.must else "must_not"
        quoted = excerpt(self.example.label, _QUOTED)
        return f'{self.example.place}: channel "{self.slug}", {kind} "{quoted}": {excerpt(self.why, _LONGEST_WHY)}'


async def failing_examples(
    channels: Iterable[ChannelConfig], *, time_zone: tzinfo, read: Callable[[str], Query] = parse
) -> list[Failure]:
    """Return the examples that do not hold, in the order of the config; ``read`` makes a query of its text.

    ``time_zone`` is that of dates in files. Queries that cannot be read are passed over: their own error tells.
    """
    tried = [channel for channel in channels if channel.examples]
    return await asyncio.to_thread(lambda: [it for one in tried for it in _failing(one, time_zone, read)])


async def refuse_failing(
    channels: Iterable[ChannelConfig], *, time_zone: tzinfo, read: Callable[[str], Query] = parse
) -> None:
    """Raise ConfigError with every example that does not hold, a line each."""
    failures = await failing_examples(channels, time_zone=time_zone, read=read)
    if failures:
        more = [f"… and {len(failures) - MOST_TOLD} more"] if len(failures) > MOST_TOLD else []
        raise ConfigError("\n".join([*map(str, failures[:MOST_TOLD]), *more]))


def _failing(channel: ChannelConfig, time_zone: tzinfo, read: Callable[[str], Query]) -> Iterator[Failure]:
    try:
        query = read(channel.query)
    except QueryError:
        return
    for example in channel.examples:
        try:
            item = example.item or _item_in(example, time_zone)
        except ArticleError as error:
            yield Failure(slug=channel.slug, example=example, why=f"the file cannot be tried: {error}")
            continue
        verdict = evaluate(query, prepare(item, source_name=example.source))
        if verdict.matched is not example.must:
            said = "the query does not match it" if example.must else "the query matches it"
            yield Failure(slug=channel.slug, example=example, why=f"{said}: {verdict.why}")


def _item_in(example: ExampleConfig, time_zone: tzinfo) -> Item:
    """Return the one article in an example's file; raise ArticleError when there is none, or several."""
    if example.file is None:
        raise RuntimeError("an example is an item or a file")
    try:
        parsed = read_items(example.file.name, read_file(look_at(example.file)), time_zone=time_zone)
    except (FileNotFoundError, FileGoneError) as error:
        raise ArticleError("there is no such file") from error
    if len(parsed.items) != 1:
        raise ArticleError(f"it holds {len(parsed.items)} articles; an example is one")
    return parsed.items[0].item
