"""What publishers copy: one frame, one form, and no name that breaks out of them."""

from __future__ import annotations

from gettext import NullTranslations

import html5lib

from alerts.core.model import Channel
from alerts.core.sentences import translator
from alerts.core.snippets import form_snippet, frame_snippet

HOSTILE = "\"><script>alert(1)</script>'&{root}"
SAY = translator(NullTranslations(), html=True)
ROOT = 'https://alerts.example/a?b&c"d'


def parsed(snippet: str) -> html5lib.treebuilders.etree.ElementTree:
    return html5lib.HTMLParser(namespaceHTMLElements=False, strict=True).parseFragment(snippet)


def test_the_frame_shows_the_channel_and_loads_our_script() -> None:
    channel = Channel(id=1, slug="li-auto", name=HOSTILE, query="a1")
    frame, script = parsed(frame_snippet(channel, root=ROOT, say=SAY))
    assert frame.get("src") == f"{ROOT}/embed/li-auto"
    assert frame.get("title") == f"{HOSTILE} News Alert"
    assert script.get("src") == f"{ROOT}/static/embed.js"
    assert not script.text


def test_the_form_posts_the_address_and_the_channel_straight_to_us() -> None:
    channel = Channel(id=1, slug="li-auto", name=HOSTILE, query="a1")
    (form,) = parsed(form_snippet(channel, root=ROOT, say=SAY))
    assert (form.get("action"), form.get("method")) == (f"{ROOT}/subscribe", "post")
    assert [(one.get("name"), one.get("value")) for one in form.iter("input")] == [
        ("channel", "li-auto"),
        ("email", None),
    ]
    assert f"{HOSTILE} News Alert" in "".join(form.itertext())
