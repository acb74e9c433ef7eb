"""Take the text out of HTML, however broken; it is no sanitiser (nothing here is meant to be shown as HTML).

One regular expression reads the markup from left to right, each character a bounded number of times, and no tree is
built: 10 MB of ``<div>`` or of unfinished quotes cost what 10 MB of text cost.
"""

from __future__ import annotations

import re
from html import unescape

from alerts.core.text import clean_text

_TOKEN = re.compile(
    r"<!--(?:>|->|.*?--!?>|.*)"  # a comment, or the rest of the text where it never ends
    r"|<!\[CDATA\[(?P<cdata>.*?)(?:\]\]>|\Z)"
    r"|<(?:(?P<end>/)?(?P<name>[a-z][^\s/>]*)|[!?/])"
    # Possessive, so that nothing is tried twice; a quote that never ends counts as a letter.
    r"""(?:[^>"'=]++|=\s*+"[^"]*+"|=\s*+'[^']*+'|["'=])*+(?:>|\Z)""",
    re.IGNORECASE | re.DOTALL,
)
_DROPPED = frozenset(
    {"script", "style", "title", "textarea", "iframe", "noembed", "noframes", "template", "svg", "select"}
)
_END_OF = {name: re.compile(rf"</{name}(?=[\s/>]|\Z)", re.IGNORECASE) for name in _DROPPED}
_PARAGRAPHS = frozenset(
    {
        *("address", "article", "aside", "blockquote", "body", "center", "details", "dialog", "div", "dl", "fieldset"),
        *("figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "hr"),
        *("main", "menu", "nav", "ol", "p", "pre", "section", "summary", "table", "ul"),
    }
)
_LINES = frozenset({"br", "caption", "dd", "dt", "legend", "li", "option", "tr"})
_CELLS = frozenset({"td", "th"})
_SPACES = re.compile(r"[ \t\r\n\f]+")
_LEADING_ZEROS = re.compile(r"(&#[xX]?)0+(?=[0-9a-fA-F])")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
_BRACKET = re.compile(r"&(?:[lL][tT]|[gG][tT]|#0*6[02]|#[xX]0*3[cCeE]);")
_HUGE_REFERENCE = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9a-fA-F]{7,});?")


def html_to_text(markup: str) -> str:
    r"""Return the readable text of ``markup``: paragraphs parted by a blank line, list items as "• " lines.

    >>> html_to_text("<p>One &amp; only<script>x()</script></p><ul><li>a<li>b</ul>")
    'One & only\n\n• a\n• b'
    """
    parts: list[str] = []
    position = 0
    in_pre = False
    while token := _TOKEN.search(markup, position):
        parts.append(_words(markup[position : token.start()], keep_lines=in_pre))
        position = token.end()
        name = (token["name"] or "").lower()
        if name == "pre":
            in_pre = token["end"] is None
        # Only foreign elements can close themselves: <script/> is an open script.
        opens = token["end"] is None and not (name == "svg" and token[0].endswith("/>"))
        if opens and name in _DROPPED:
            position = _after_element(name, markup, position)
        parts.append(token["cdata"] or _gap(name, ends=token["end"] is not None))
    parts.append(_words(markup[position:], keep_lines=in_pre))
    return clean_text("".join(parts))


def without_entities(text: str) -> str:
    """Return plain text with the entities read that it has for being escaped once too often; it knows no tags.

    A text that has the entities of angle brackets speaks of markup, and stays as it is.

    >>> without_entities("AT&amp;T&#8217;s <i> tag"), without_entities("Write &amp;lt; or &lt;")
    ('AT&T’s <i> tag', 'Write &amp;lt; or &lt;')
    """
    return text if _BRACKET.search(text) else _ENTITY.sub(lambda found: unescape(found[0]), text)


def _words(text: str, *, keep_lines: bool) -> str:
    """Decode entities; a line end in the source is only a space, but for ``<pre>``."""
    spaced = text if keep_lines else _SPACES.sub(" ", text)
    # Python refuses to read a number of thousands of digits, so those are answered before it sees them.
    return unescape(_HUGE_REFERENCE.sub("\ufffd", _LEADING_ZEROS.sub(r"\1", spaced)))


def _gap(name: str, *, ends: bool) -> str:
    """Return what stands between the words on both sides of a tag."""
    if name in _PARAGRAPHS:
        return "\n\n"
    if name == "li" and not ends:
        return "\n• "
    if name in _LINES:
        return "" if ends else "\n"
    return " " if name in _CELLS else ""


def _after_element(name: str, markup: str, position: int) -> int:
    """Return where an element whose text nobody reads is over: at its end tag, or with the markup."""
    end = _END_OF[name].search(markup, position)
    return end.start() if end else len(markup)
