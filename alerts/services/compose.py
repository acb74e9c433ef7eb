"""Compose: make a claimed letter into the message that goes out. The same letter gives the same bytes."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import structlog

from alerts.core import messages
from alerts.core.messages import CompiledAlert, Links, SiteIdentity, Templates
from alerts.core.model import Article, DeliveryKind, Envelope
from alerts.core.tokens import Purpose, Secrets, confirmation_token, sign
from alerts.storage.letters import Letter

_log = structlog.get_logger(__name__)

_CACHED = 256  # compiled alerts kept: some 100 kB each at the most


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mould:
    """What alerts that differ only by their recipient have in common."""

    article_id: int
    content_hash: str
    channel_ids: tuple[int, ...]
    language: str


class Composer:
    """Makes messages for one site; alerts are compiled once and spliced per recipient."""

    def __init__(self, *, templates: Templates, site: SiteIdentity, secrets: Secrets, ledger_id: str) -> None:
        self._templates = templates
        self._site = site
        self._secrets = secrets
        self._ledger_id = ledger_id
        self._compiled: OrderedDict[_Mould, CompiledAlert | None] = OrderedDict()

    def __call__(self, letter: Letter) -> Envelope:
        """Make the message of a letter; whatever it raises is this letter's fault alone."""
        if letter.recipient is None:
            raise ValueError("a letter to nobody")
        message = self._message(letter, letter.recipient)
        return Envelope(
            delivery_id=letter.delivery.id,
            sender=self._site.sender,
            recipient=messages.wire_address(letter.recipient),
            message=message,
            smtputf8=messages.needs_smtputf8(letter.recipient),
        )

    def message_id(self, delivery_id: int) -> str:
        """Give a delivery's Message-ID: the same at every try, unique beyond this database."""
        return f"<{delivery_id}.{self._ledger_id}@{self._site.sender.rpartition('@')[2]}>"

    def _message(self, letter: Letter, recipient: str) -> bytes:
        match letter.delivery.kind:
            case DeliveryKind.ALERT:
                return self._alert(letter, recipient)
            case DeliveryKind.CONFIRMATION:
                return self._confirmation(letter, recipient)
            case DeliveryKind.TEST:
                return messages.compose_test(
                    templates=self._templates,
                    site=self._site,
                    recipient=recipient,
                    message_id=self.message_id(letter.delivery.id),
                    dated_at=letter.delivery.dated_at,
                    language=letter.language or self._site.language,
                )
            case DeliveryKind.DIGEST:
                raise ValueError("digests are not made yet")

    def _alert(self, letter: Letter, recipient: str) -> bytes:
        if letter.article is None:
            raise ValueError("an alert without an article")
        delivery, language = letter.delivery, letter.language or self._site.language
        unsubscribe = sign(Purpose.UNSUBSCRIBE, delivery.subscriber_id, letter.article.id, self._secrets)
        manage = sign(Purpose.MANAGE, delivery.subscriber_id, 0, self._secrets)
        compiled = self._mould(letter, letter.article, language)
        if compiled is not None:
            return compiled.splice(
                recipient=recipient,
                message_id=self.message_id(delivery.id),
                unsubscribe_token=unsubscribe,
                manage_token=manage,
                dated_at=delivery.dated_at,
            )
        return messages.compose_alert(
            templates=self._templates,
            site=self._site,
            article=letter.article,
            channels=letter.channels,
            recipient=recipient,
            links=Links(manage=f"{self._site.url}/m/{manage}", unsubscribe=f"{self._site.url}/u/{unsubscribe}"),
            message_id=self.message_id(delivery.id),
            dated_at=delivery.dated_at,
            language=language,
        )

    def _mould(self, letter: Letter, article: Article, language: str) -> CompiledAlert | None:
        """Compile an alert, or find it compiled; None where only the plain path will do."""
        key = _Mould(
            article_id=article.id,
            content_hash=article.content_hash,
            channel_ids=tuple(channel.id for channel in letter.channels),
            language=language,
        )
        if key in self._compiled:
            self._compiled.move_to_end(key)
            return self._compiled[key]
        self._compiled[key] = compiled = self._compile(letter, article, language)
        while len(self._compiled) > _CACHED:
            self._compiled.popitem(last=False)
        return compiled

    def _compile(self, letter: Letter, article: Article, language: str) -> CompiledAlert | None:
        try:
            return messages.compile_alert(
                templates=self._templates,
                site=self._site,
                article=article,
                channels=letter.channels,
                language=language,
            )
        except messages.SpliceError as error:
            _log.warning("alert_not_spliced", article=article.id, reason=str(error))
            return None

    def _confirmation(self, letter: Letter, recipient: str) -> bytes:
        delivery = letter.delivery
        if delivery.confirmation_id is None or letter.confirmation_salt is None:
            raise ValueError("a confirmation mail without a confirmation")
        token = confirmation_token(self._secrets, delivery.confirmation_id, letter.confirmation_salt)
        return messages.compose_confirmation(
            templates=self._templates,
            site=self._site,
            channels=letter.channels,
            recipient=recipient,
            confirm_url=f"{self._site.url}/confirm/{token}",
            message_id=self.message_id(delivery.id),
            dated_at=delivery.dated_at,
            language=letter.language or self._site.language,
        )
