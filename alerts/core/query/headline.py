"""Whether a headline has a subject of its own: something that it says and its text comes back to.

Who reads no language can still see what returns. A name is a word with a capital that the text never writes small;
other words are topics, and where words are not parted by spaces any two characters side by side may be one.
"""

from __future__ import annotations

import re
from bisect import bisect_right

from alerts.core.query.words import occurrences
from alerts.core.query.zones import Prepared
from alerts.core.text import fold

_LONG_WORD = 5  # letters of a topic: "the" and "cars" are none
_WORD = re.compile(r"[^\W\d_](?:[\w.+&-]*\w)?")  # ends before "'s"
_IDEOGRAPHS = re.compile("[\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]{2,}")


def has_own_subject(article: Prepared, *, naming: int) -> bool:
    """Say whether the headline outweighs a name that it leaves out, and that ``naming`` sentences of the text name.

    A name in the headline does if half as many name it, for names give way to pronouns; a topic if more do.
    """
    title, text = article.exact["title"], article.exact["body"] or article.exact["summary"]
    words = set(_WORD.findall(title))
    names = {word for word in words if word[0].isupper() and not occurrences(text, word.lower())}
    topics = {word.removesuffix("s") for word in words - names if len(word) >= _LONG_WORD}
    topics |= {run[at : at + 2] for run in _IDEOGRAPHS.findall(title) for at in range(len(run) - 1)}
    return any(2 * _sentences_naming(name, article) > naming for name in names) or any(
        _sentences_naming(topic, article, prefix=True) > naming for topic in topics
    )


def _sentences_naming(word: str, article: Prepared, *, prefix: bool = False) -> int:
    return len({bisect_right(article.sentences, at) for at in occurrences(article.text, fold(word), prefix=prefix)})
