"""Compose: make a claimed letter into the message that goes out. The same letter gives the same bytes."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

import structlog

from alerts.core import messages
from alerts.core.messages import CompiledAlert, Links, SiteIdentity, Templates
from alerts.core.model import Article, Channel, DeliveryKind, Envelope
from alerts.core.tokens import Purpose, Secrets, confirmation_token, sign
from alerts.storage.letters import Letter

_log = structlog.get_logger(__name__)

_CACHED = 256  # compiled alerts kept: some 100 kB each at the most


class _Mould(NamedTuple):
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
        self._id_end = f"{ledger_id}@{site.sender.rpartition('@')[2]}>"
        self._languages: dict[str | None, str] = {}
        self._compiled: OrderedDict[_Mould, CompiledAlert | None] = OrderedDict()
        self._last: tuple[Article, tuple[Channel, ...], str, CompiledAlert | None] | None = None

    def __call__(self, letter: Letter) -> Envelope:
        """Make the message of a letter; whatever it raises is this letter's fault alone."""
        if letter.recipient is None:
            raise ValueError("a letter to nobody")
        address = messages.wire_address(letter.recipient)
        message, may_have_dots = self._message(letter, address)
        return Envelope(
            letter.delivery.id,
            self._site.sender,
            address,
            message,
            messages.needs_smtputf8(address),
            may_have_dots,
        )

    def message_id(self, delivery_id: int) -> str:
        """Give a delivery's Message-ID: the same at every try, unique beyond this database."""
        return f"<{delivery_id}.{self._id_end}"

    def _language(self, letter: Letter) -> str:
        """Choose the language of a mail: the person's, else the site's, of those that we speak."""
        wish = letter.language
        if wish not in self._languages:  # asked for every mail, and there are few
            self._languages[wish] = self._templates.language_for(wish, self._site.language)
        return self._languages[wish]

    def _message(self, letter: Letter, recipient: str) -> tuple[bytes, bool]:
        """Make the bytes; say whether a line of them may begin with a dot."""
        if letter.delivery.kind is DeliveryKind.ALERT:
            return self._alert(letter, recipient)
        return self._rare(letter, recipient), True

    def _rare(self, letter: Letter, recipient: str) -> bytes:
        match letter.delivery.kind:
            case DeliveryKind.CONFIRMATION:
                return self._confirmation(letter, recipient)
            case DeliveryKind.WELCOME:
                return self._welcome(letter, recipient)
            case DeliveryKind.MANAGE_LINK | DeliveryKind.ADDRESS_CONFIRMATION | DeliveryKind.ADDRESS_CHANGED:
                return self._notice(letter, recipient)
            case DeliveryKind.TEST:
                return messages.compose_test(
                    templates=self._templates,
                    site=self._site,
                    recipient=recipient,
                    message_id=self.message_id(letter.delivery.id),
                    dated_at=letter.delivery.dated_at,
                    language=self._language(letter),
                )
            case _:
                return self._digest(letter, recipient)

    def _alert(self, letter: Letter, recipient: str) -> tuple[bytes, bool]:
        if letter.article is None:
            raise ValueError("an alert without an article")
        delivery, language = letter.delivery, self._language(letter)
        unsubscribe = sign(Purpose.UNSUBSCRIBE, delivery.subscriber_id, letter.article.id, self._secrets)
        manage = sign(Purpose.MANAGE, delivery.subscriber_id, 0, self._secrets)
        compiled = self._mould(letter, letter.article, language)
        if compiled is not None:
            spliced = compiled.splice(
                recipient=recipient,
                message_id=self.message_id(delivery.id),
                unsubscribe_token=unsubscribe,
                manage_token=manage,
                dated_at=delivery.dated_at,
            )
            return spliced, compiled.may_have_dots
        whole = messages.compose_alert(
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
        return whole, True

    def _mould(self, letter: Letter, article: Article, language: str) -> CompiledAlert | None:
        """Compile an alert, or find it compiled; None where only the plain path will do."""
        last = self._last
        if last is not None and last[0] is article and last[1] is letter.channels and last[2] == language:
            return last[3]  # a claim's letters share these objects
        compiled = self._find_mould(letter, article, language)
        self._last = (article, letter.channels, language, compiled)
        return compiled

    def _find_mould(self, letter: Letter, article: Article, language: str) -> CompiledAlert | None:
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
        return messages.compose_confirmation(
            templates=self._templates,
            site=self._site,
            channels=letter.channels,
            recipient=recipient,
            confirm_url=self._confirm_url(letter),
            message_id=self.message_id(delivery.id),
            dated_at=delivery.dated_at,
            language=self._language(letter),
        )

    def _welcome(self, letter: Letter, recipient: str) -> bytes:
        """Make the mail after a first confirmation; its one-click leaves the channels that it welcomes to (U9)."""
        delivery = letter.delivery
        request = delivery.confirmation_id or 0
        return messages.compose_welcome(
            templates=self._templates,
            site=self._site,
            channels=letter.channels,
            latest=letter.latest,
            recipient=recipient,
            links=Links.of(
                self._site,
                manage=sign(Purpose.MANAGE, delivery.subscriber_id, 0, self._secrets),
                unsubscribe=sign(Purpose.UNSUBSCRIBE_WELCOME, delivery.subscriber_id, request, self._secrets),
            ),
            message_id=self.message_id(delivery.id),
            dated_at=delivery.dated_at,
            language=self._language(letter),
        )

    def _digest(self, letter: Letter, recipient: str) -> bytes:
        """Make the mail that lists many articles; its one-click leaves the channels that it names (U9)."""
        delivery = letter.delivery
        if letter.digest is None or delivery.digest_run_id is None:
            raise ValueError("a digest without its articles")
        run_id = delivery.digest_run_id
        return messages.compose_digest(
            templates=self._templates,
            site=self._site,
            stories=letter.digest.stories,
            total=letter.digest.total,
            channels=letter.channels,
            recipient=recipient,
            links=Links.of(
                self._site,
                manage=sign(Purpose.MANAGE, delivery.subscriber_id, 0, self._secrets),
                unsubscribe=sign(Purpose.UNSUBSCRIBE_DIGEST, delivery.subscriber_id, run_id, self._secrets),
            ),
            message_id=self.message_id(delivery.id),
            dated_at=delivery.dated_at,
            language=self._language(letter),
        )

    def _confirm_url(self, letter: Letter) -> str:
        if letter.delivery.confirmation_id is None or letter.confirmation_salt is None:
            raise ValueError("a confirmation mail without a confirmation")
        token = confirmation_token(self._secrets, letter.delivery.confirmation_id, letter.confirmation_salt)
        return self._site.link("confirm", token)

    def _notice(self, letter: Letter, recipient: str) -> bytes:
        """Make a mail about a person's own affairs."""
        delivery, language = letter.delivery, self._language(letter)
        return messages.compose_notice(
            delivery.kind.value,
            self._notice_contents(letter, language),
            templates=self._templates,
            site=self._site,
            recipient=recipient,
            message_id=self.message_id(delivery.id),
            dated_at=delivery.dated_at,
            language=language,
        )

    def _notice_contents(self, letter: Letter, language: str) -> dict[str, object]:
        match letter.delivery.kind:
            case DeliveryKind.MANAGE_LINK:
                token = sign(Purpose.MANAGE, letter.delivery.subscriber_id, 0, self._secrets)
                return messages.manage_link_contents(self._site, token, language=language)
            case DeliveryKind.ADDRESS_CONFIRMATION:
                return messages.address_confirmation_contents(self._site, self._confirm_url(letter), language=language)
            case _:
                return messages.address_changed_contents(self._site, letter.new_email or "", language=language)
