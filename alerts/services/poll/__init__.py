"""Poll one feed: ask its server, read what came, store it and how it went. Folders are read elsewhere.

The fetch happens outside any transaction and the rest in one, which makes sure that the claim still holds: a worker
that slept through its lease, or whose source was paused meanwhile, writes nothing. Most polls bring nothing new: their
claims and outcomes are written together with those of the polls beside them.

    run         the poll, step by step
    outcomes    what came, and what it means for the source's row
"""

from alerts.services.poll.outcomes import Health, Polled
from alerts.services.poll.run import LEASE, NOT_CLAIMED, FeedParser, Fetcher, PageReader, due_feeds, poll_feed

__all__ = ["LEASE", "NOT_CLAIMED", "FeedParser", "Fetcher", "Health", "PageReader", "Polled", "due_feeds", "poll_feed"]
