"""Match: ask every active channel about the articles that are new, and write down which of them answer."""

from alerts.services.match.cache import ChannelCache
from alerts.services.match.run import BATCH, MOST_FAULTS, Matched, match_articles, something_to_match

__all__ = ["BATCH", "MOST_FAULTS", "ChannelCache", "Matched", "match_articles", "something_to_match"]
