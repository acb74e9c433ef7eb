"""What a publisher copies into a page of theirs to show a channel's box: as a frame, or as a plain form."""

from __future__ import annotations

from collections.abc import Callable

from markupsafe import Markup, escape

from alerts.core.model import Channel
from alerts.core.sentences import N_

FRAME_HEIGHT = 420  # pixels, until the script has asked the box how high it is

_TITLE = N_("{channel} News Alert")
_WHAT_FOR = N_("Subscribe to receive email notifications immediately when new articles about {channel} are published.")
_ADDRESS = N_("Email address")
_SUBSCRIBE = N_("Subscribe")

_FRAME = Markup("""\
<iframe src="{root}/embed/{slug}" title="{title}"
  width="100%" height="{height}" style="border: 0" loading="lazy"></iframe>
<script src="{root}/static/embed.js" async></script>
""")
_FORM = Markup("""\
<form action="{root}/subscribe" method="post">
  <p><strong>{title}</strong><br>{what_for}</p>
  <input type="hidden" name="channel" value="{slug}">
  <label>{address} <input type="email" name="email" autocomplete="email" maxlength="254" required></label>
  <button>{subscribe}</button>
</form>
""")


def frame_snippet(channel: Channel, *, root: str, say: Callable[..., str]) -> str:
    """Return the box as an iframe, with the script that gives it its height.

    ``root`` is the site's URL without a slash at its end, ``say`` says a sentence of HTML in the site's language.
    """
    title = say(_TITLE, channel=channel.name)
    return str(_FRAME.format(root=escape(root), slug=channel.slug, title=title, height=FRAME_HEIGHT))


def form_snippet(channel: Channel, *, root: str, say: Callable[..., str]) -> str:
    """Return the box as a form that needs no script and takes the look of the page that it stands in."""
    return str(
        _FORM.format(
            root=escape(root),
            slug=channel.slug,
            title=say(_TITLE, channel=channel.name),
            what_for=say(_WHAT_FOR, channel=channel.name),
            address=say(_ADDRESS),
            subscribe=say(_SUBSCRIBE),
        )
    )
