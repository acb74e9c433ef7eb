"""Counters for `/metrics`: one named function per event. No global registry; the app makes one and hands it down."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest


class Metrics:
    """What happened since this process started."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._polls = Counter("alerts_polls", "Polls of sources", ["outcome"], registry=self.registry)
        self._articles = Counter("alerts_articles", "Articles stored as new", registry=self.registry)
        self._matches = Counter("alerts_matches", "Articles that answered a channel", registry=self.registry)
        self._owed = Counter("alerts_deliveries_owed", "Deliveries that came to be owed", registry=self.registry)
        self._deliveries = Counter("alerts_delivery_tries", "Tries to deliver", ["outcome"], registry=self.registry)
        self._rescued = Counter("alerts_claims_rescued", "Claims taken back", registry=self.registry)
        self._held = Counter("alerts_articles_held", "Articles held as part of a flood", registry=self.registry)
        self._waiting = Gauge(
            "alerts_sources_held", "Sources whose flood waits for the operator's decision", registry=self.registry
        )
        self._told = Counter("alerts_source_news", "Sources told of, once each", ["news"], registry=self.registry)
        self._sources = Gauge("alerts_sources", "Sources by how they do", ["state"], registry=self.registry)
        self._tick = Gauge("alerts_last_tick_seconds", "When the clock last ticked (Unix time)", registry=self.registry)

    def polled(self, *, worked: bool, new: int) -> None:
        """Count a poll and what it brought."""
        self._polls.labels("ok" if worked else "failed").inc()
        self._articles.inc(new)

    def matched(self, matches: int) -> None:
        """Count matches."""
        self._matches.inc(matches)

    def fanned_out(self, created: int) -> None:
        """Count deliveries that came to be owed."""
        self._owed.inc(created)

    def delivered(self, *, sent: int, deferred: int, failed: int, cancelled: int) -> None:
        """Count what a run of delivering did."""
        for outcome, count in (("sent", sent), ("deferred", deferred), ("failed", failed), ("cancelled", cancelled)):
            self._deliveries.labels(outcome).inc(count)

    def rescued(self, claims: int) -> None:
        """Count claims taken back from dead workers."""
        self._rescued.inc(claims)

    def told_of_source(self, news: str) -> None:
        """Count what the operator was told of a source: failing, stopped, recovered."""
        self._told.labels(news).inc()

    def sources_are(self, counts: Mapping[str, int]) -> None:
        """Remember how many sources are in each state."""
        for state, count in counts.items():
            self._sources.labels(state).set(count)

    def ticked(self, at: float) -> None:
        """Remember when the clock last ticked."""
        self._tick.set(at)

    def held(self, articles: int) -> None:
        """Count articles that were held as part of a flood."""
        self._held.inc(articles)

    def sources_held(self, count: int) -> None:
        """Remember how many sources are held."""
        self._waiting.set(count)

    def render(self) -> bytes:
        """Give the counters in the Prometheus text format."""
        return generate_latest(self.registry)
