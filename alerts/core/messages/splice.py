"""The same alert for many recipients: composed once, cut where recipients differ, joined anew for each.

It knows nothing about mail that ``compose`` does not: a compiled alert *is* the plain path's output, made with
placeholders and cut at them. Before it is handed out it must repeat the plain path for a second, made-up recipient;
where it cannot, because a template changes a link, SpliceError sends the caller back to the plain path.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha512

from alerts.core.messages.compose import compose_alert
from alerts.core.messages.contents import Links, SiteIdentity
from alerts.core.messages.headers import date, message_id, wire_address
from alerts.core.messages.render import Templates
from alerts.core.model import Article, Channel
from alerts.core.tokens import TOKEN_LENGTH

_TOKEN = re.compile(rf"\A[A-Za-z0-9_-]{{{TOKEN_LENGTH}}}\Z")
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_checked = message_id


class SpliceError(ValueError):
    """These templates do not let a mail be cut: compose each one by itself."""


@dataclass(frozen=True, slots=True)
class _Recipient:
    """What differs between two recipients' mails."""

    recipient: str
    message_id: str
    unsubscribe_token: str
    manage_token: str
    dated_at: datetime


@dataclass(frozen=True, slots=True)
class CompiledAlert:
    """An alert composed but for its recipient."""

    _segments: tuple[bytes, ...]  # as cut; where a recipient's own piece belongs stands nothing
    _unsubscribe: tuple[int, ...]  # the places in ``_segments`` that take each piece
    _manage: tuple[int, ...]
    #: False: surely no line of any such mail begins with a dot; an address, a date and a token never begin with one
    may_have_dots: bool

    def splice(
        self, *, recipient: str, message_id: str, unsubscribe_token: str, manage_token: str, dated_at: datetime
    ) -> bytes:
        """Return the mail for one recipient, equal to what ``compose_alert`` makes.

        Raise AddressError for a recipient that no mail can be addressed to, ValueError for a token that is none.
        """
        if not (_TOKEN.match(unsubscribe_token) and _TOKEN.match(manage_token)):
            raise ValueError(f"a token in a mail has {TOKEN_LENGTH} URL-safe characters")
        pieces = list(self._segments)
        pieces[1] = wire_address(recipient).encode("utf-8")
        pieces[3] = date(dated_at).encode("ascii")
        pieces[5] = _checked(message_id).encode("ascii")
        unsubscribe, manage = unsubscribe_token.encode("ascii"), manage_token.encode("ascii")
        for place in self._unsubscribe:
            pieces[place] = unsubscribe
        for place in self._manage:
            pieces[place] = manage
        return b"".join(pieces)


def compile_alert(
    *,
    templates: Templates,
    site: SiteIdentity,
    article: Article,
    channels: Sequence[Channel],
    language: str,
) -> CompiledAlert:
    """Compose an alert once for all who get it for the same ``channels`` in the same ``language``.

    Raise SpliceError where splicing would not give what ``compose_alert`` gives.
    """

    def plain(to: _Recipient) -> bytes:
        return compose_alert(
            templates=templates,
            site=site,
            article=article,
            channels=channels,
            recipient=to.recipient,
            links=Links.of(site, manage=to.manage_token, unsubscribe=to.unsubscribe_token),
            message_id=to.message_id,
            dated_at=to.dated_at,
            language=language,
        )

    seed = repr((site, article, channels, language))
    holder, probe = _made_up(f"holder {seed}"), _made_up(f"probe {seed}")
    compiled = _cut(plain(holder), holder)
    if _spliced(compiled, probe) != plain(probe):
        raise SpliceError(f"the templates change the links of article {article.id}'s mail: it cannot be spliced")
    return compiled


def _made_up(seed: str) -> _Recipient:
    """Make up a recipient whose every part is one that no article can foresee, and so none can contain."""
    digest = sha512(seed.encode("utf-8", "backslashreplace")).hexdigest()
    return _Recipient(
        recipient=f"{digest[:32]}@placeholder.invalid",
        message_id=f"<{digest[32:64]}@placeholder.invalid>",
        unsubscribe_token=("u-" + digest)[:TOKEN_LENGTH],
        manage_token=("m_" + digest[::-1])[:TOKEN_LENGTH],
        dated_at=_EPOCH + timedelta(seconds=int(digest[64:71], 16)),
    )


def _cut(raw: bytes, holder: _Recipient) -> CompiledAlert:
    """Cut a mail at its placeholders; To, Date and Message-ID stand in this order, before anything untrusted."""
    to, rest = _cut_once(raw, holder.recipient)
    dated, rest = _cut_once(rest, date(holder.dated_at))
    identified, rest = _cut_once(rest, holder.message_id)
    unsubscribe, manage = holder.unsubscribe_token.encode("ascii"), holder.manage_token.encode("ascii")
    tail = re.split(b"(" + unsubscribe + b"|" + manage + b")", rest)
    segments = [to, b"", dated, b"", identified, b"", *tail]
    places = range(7, len(segments), 2)
    dots = raw.startswith(b".") or b"\n." in raw
    return CompiledAlert(
        tuple(segments),
        tuple(place for place in places if segments[place] == unsubscribe),
        tuple(place for place in places if segments[place] == manage),
        dots,
    )


def _cut_once(raw: bytes, value: str) -> tuple[bytes, bytes]:
    before, _, after = raw.partition(value.encode("ascii"))
    return before, after


def _spliced(compiled: CompiledAlert, to: _Recipient) -> bytes:
    return compiled.splice(
        recipient=to.recipient,
        message_id=to.message_id,
        unsubscribe_token=to.unsubscribe_token,
        manage_token=to.manage_token,
        dated_at=to.dated_at,
    )
