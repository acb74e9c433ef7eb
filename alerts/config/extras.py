"""Which choices need a part that a plain installation leaves out, and whether it is there."""

from __future__ import annotations

from importlib.util import find_spec

from alerts.core.model import Content

_EXTRACTOR = "trafilatura"


def what_to_install(content: Content) -> str | None:
    """Say what an operator must install before sources can have this content; None: nothing."""
    if content is not Content.PAGE or find_spec(_EXTRACTOR) is not None:
        return None
    return "pages are read with the extra `page`: pip install 'news-alert[page]'"
