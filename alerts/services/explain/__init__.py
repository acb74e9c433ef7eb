"""Explain: why an article went where it went, for a channel and for a person; changes nothing.

run      asks the channels, and follows the article to the person
endings  says in one sentence what came of it
limits   what held mails to that person back, and which channels one mail names
"""

from __future__ import annotations

from alerts.services.explain.run import Answer, Explanation, Person, explain_article

__all__ = ["Answer", "Explanation", "Person", "explain_article"]
