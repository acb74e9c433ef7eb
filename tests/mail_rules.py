"""The rules for every mail we send, checked on the raw bytes that an SMTP server received; shares no code with alerts.

``violations`` returns a line for each breach, beginning with the rule's number (E1 … E25 of ``docs/mail-rules.md``).
E16 and E17 (return path, DKIM) are not looked at; E25 is what comes of all the others together.
"""

from __future__ import annotations

import email
import email.errors
import email.policy
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from mail_page import Page
from mail_raw import ENCODED_WORD, decode_word, decode_words, fields, parts, subject_of, texts_of

__all__ = ["decode_words", "subject_of", "texts_of", "violations"]

ONCE = {"from", "to", "subject", "date", "message-id", "mime-version", "content-type", "auto-submitted"}
LISTS = {"list-id", "list-unsubscribe", "list-unsubscribe-post"}
ONE_CLICK = {"list-unsubscribe", "list-unsubscribe-post"}
LIST_HEADERS = {"alert": LISTS, "digest": LISTS, "welcome": ONE_CLICK}  # by kind; any other mail has none
_REASONS = {  # why somebody gets a mail, in English and in Chinese
    "alert": ("because you subscribe to", "订阅"),
    "digest": ("because you subscribe to", "订阅"),
    "welcome": ("because you confirmed", "确认"),
}
BULK = {"alert", "digest"}
AT_MOST_ONCE = {"reply-to", "sender", "feedback-id", "x-auto-response-suppress", "precedence", "dkim-signature"}
NEVER_ENCODED = {"to", "message-id", "feedback-id", "references", "date", *LISTS}

FORBIDDEN_IN_SUBJECT = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
REPLY = re.compile(r"\s*(re|fwd?|aw|wg|sv|antw)\s*(\[\d+\])?\s*:", re.IGNORECASE)
DATE = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d? (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4}"
    r" \d\d:\d\d:\d\d [+-]\d{4}"
)
ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*")


def violations(
    raw: bytes,
    *,
    rcpt: str,
    site_host: str,
    kind: str = "alert",
    sender: str | None = None,
    site_name: str | None = None,
    title: str | None = None,
    link: str | None = None,
    postal_address: Sequence[str] = (),
    others: Sequence[str] = (),
    smtputf8: bool = False,
    dated_at: datetime | None = None,
) -> list[str]:
    """Return every rule that ``raw`` breaks, as "E8: why"; an empty list for a good mail."""
    check = _Check(raw, rcpt=rcpt, site_host=site_host, kind=kind, smtputf8=smtputf8)
    check.lines()
    if not check.split():
        return check.found
    check.header_names()
    check.sender(sender=sender, site_name=site_name)
    check.recipient(others)
    check.identity(dated_at)
    check.subject()
    check.encoded_words()
    check.list_headers()
    check.automatic()
    check.structure()
    check.contents(title=title, link=link, postal_address=postal_address)
    return check.found


class _Check:
    """One mail under examination."""

    def __init__(self, raw: bytes, *, rcpt: str, site_host: str, kind: str, smtputf8: bool) -> None:
        self.raw, self.rcpt, self.site_host, self.kind, self.smtputf8 = raw, rcpt, site_host, kind, smtputf8
        self.found: list[str] = []
        self.fields: list[tuple[str, str]] = []
        self.head = self.body = b""

    def no(self, rule: str, why: str) -> None:
        self.found.append(f"{rule}: {why}")

    def one(self, name: str) -> str:
        return next((value for field, value in self.fields if field == name), "")

    def lines(self) -> None:
        if b"\0" in self.raw or b"\r" in self.raw.replace(b"\r\n", b"") or b"\n" in self.raw.replace(b"\r\n", b""):
            self.no("E1", "a bare CR, a bare LF or a NUL")
        if not self.raw.endswith(b"\r\n"):
            self.no("E1", "does not end in CRLF")
        for line in self.raw.split(b"\r\n"):
            if len(line) > 998:
                self.no("E1", f"a line of {len(line)} octets")

    def split(self) -> bool:
        self.head, gap, self.body = self.raw.partition(b"\r\n\r\n")
        if not gap:
            self.no("E1", "no end of the header")
            return False
        for line in self.head.split(b"\r\n"):
            content = line.lstrip(b" \t") if line[:1] in b" \t" else line.partition(b": ")[2]
            if len(line) > 78 and re.search(rb"[ \t]", content):
                self.no("E1", f"a header line of {len(line)} columns that could fold: {line[:40]!r}")
            if line[:1] in b" \t" and not line.strip():
                self.no("E1", "a folded line of nothing")
            elif line[:1] not in b" \t" and not re.match(rb"[!-9;-~]+: \S", line):
                self.no("E1", f"no header line: {line[:60]!r}")
            if any(octet > 0x7E or (octet < 0x20 and octet != 9) for octet in line) and not (
                self.smtputf8 and line.startswith(b"To: ")
            ):
                self.no("E2", f"8-bit or control characters in {line[:40]!r}")
        self.fields = fields(self.head)
        return True

    def header_names(self) -> None:
        names = [name for name, _ in self.fields]
        once = ONCE | LIST_HEADERS.get(self.kind, set())
        for name in sorted(once):
            if names.count(name) != 1:
                self.no("E3", f"{names.count(name)} × {name}")
        for name in sorted(set(names)):
            if name not in once | AT_MOST_ONCE:
                self.no("E3", f"header {name} is not on the list")
            if name in AT_MOST_ONCE and names.count(name) > 1:
                self.no("E3", f"{names.count(name)} × {name}")

    def sender(self, *, sender: str | None, site_name: str | None) -> None:
        name, _, address = self.one("from").rpartition("<")
        shown = decode_words(name.strip())
        if shown.startswith('"'):
            shown = re.sub(r"\\(.)", r"\1", shown[1:-1])
        if not re.fullmatch(r"[!-?A-~]+@[A-Za-z0-9.-]+>", address):
            self.no("E4", f"From is no mailbox: {self.one('from')!r}")
        if sender and address != f"{sender}>":
            self.no("E4", f"From is {address!r}")
        if site_name and shown != site_name:
            self.no("E4", f"the display name is {shown!r}")

    def recipient(self, others: Sequence[str]) -> None:
        if self.one("to") != self.rcpt:
            self.no("E5", f"To is {self.one('to')!r}")
        if not self.rcpt.rpartition("@")[2].isascii():
            self.no("E24", "the domain is no A-label")
        everything = self.raw.decode("utf-8", "replace") + "".join(self._decoded())
        for other in others:
            if other in everything:
                self.no("E5", "somebody else's address")
        for field, value in self.fields:
            if field not in {"from", "to", "message-id", "subject", "reply-to", "sender", "list-id"} and ADDRESS.search(
                value
            ):
                self.no("E5", f"an address in {field}")

    def _decoded(self) -> Iterator[str]:
        try:
            yield from texts_of(self.raw)
        except (AssertionError, KeyError, ValueError) as error:
            self.no("E18", f"cannot be taken apart: {error!r}")

    def identity(self, dated_at: datetime | None) -> None:
        value = self.one("date")
        if not DATE.fullmatch(value):
            self.no("E6", f"Date is {value!r}")
        elif dated_at and parsedate_to_datetime(value) != dated_at.replace(microsecond=0):
            self.no("E6", f"Date is {value!r}, not {dated_at}")
        domain = self.one("from").rpartition("@")[2].rstrip(">")
        if not re.fullmatch(rf"<[A-Za-z0-9.+_-]+@{re.escape(domain)}>", self.one("message-id")):
            self.no("E7", f"Message-ID is {self.one('message-id')!r}")

    def subject(self) -> None:
        try:
            text = decode_words(self.one("subject"))
        except ValueError:
            self.no("E9", "the subject cannot be decoded")
            return
        if not text.strip() or len(text) > 150:
            self.no("E8", f"the subject has {len(text)} characters")
        if FORBIDDEN_IN_SUBJECT.search(text):
            self.no("E8", f"control or direction characters: {text!a}")
        if REPLY.match(text):
            self.no("E8", f"looks like a reply: {text!r}")

    def encoded_words(self) -> None:
        for name, value in self.fields:
            words = ENCODED_WORD.findall(value)
            if words and (name in NEVER_ENCODED or "=?" in value.rpartition("<")[2] * (name == "from")):
                self.no("E9", f"an encoded word in {name}")
            for word in words:
                if len(word) > 75 or not word.lower().startswith("=?utf-8?"):
                    self.no("E9", f"a bad encoded word in {name}: {word}")
                try:
                    decoded = decode_word(word)
                except ValueError:
                    self.no("E9", f"a character is split in {word}")
                    continue
                if re.search("[\x00-\x1f\x7f]", decoded):
                    self.no("E9", f"control characters hidden in {word}")
            if "=?" in ENCODED_WORD.sub("", value):
                self.no("E9", f"half an encoded word in {name}")

    def list_headers(self) -> None:
        if self.kind not in LIST_HEADERS:
            if any(name.startswith("list-") for name, _ in self.fields):
                self.no("E13", "a list header")
            return
        if self.kind in BULK and not re.fullmatch(
            r'(?:(?:[!-;=?-~ ]+|"[^"]*") )?<[A-Za-z0-9_-]+\.[A-Za-z0-9._-]+>', self.one("list-id")
        ):
            self.no("E10", f"List-Id is {self.one('list-id')!r}")
        first = re.fullmatch(r"<(https?://[!-;=?-~]+)>(?:, <mailto:[!-;=?-~]+>)?", self.one("list-unsubscribe"))
        if not first or len(first[1]) > 200 or urlsplit(first[1]).hostname != self.site_host:
            self.no("E11", f"List-Unsubscribe is {self.one('list-unsubscribe')!r}")
        elif "@" in first[1] or len(first[1].rpartition("/")[2]) < 22:
            self.no("E11", "an address in the link, or a token of less than 128 bits")
        if re.search(rb"\r\nList-Unsubscribe:[^\r]*\r\n[ \t]", self.head) and ", <mailto:" not in self.one(
            "list-unsubscribe"
        ):
            self.no("E11", "folded inside a URI")
        if self.one("list-unsubscribe-post") != "List-Unsubscribe=One-Click":
            self.no("E12", self.one("list-unsubscribe-post"))

    def automatic(self) -> None:
        if self.one("auto-submitted") != "auto-generated":
            self.no("E14", f"Auto-Submitted is {self.one('auto-submitted')!r}")
        if self.kind == "welcome" and self.one("precedence"):
            self.no("E14", "a mail to one person who asked for it, marked as bulk")
        if self.kind in BULK and (self.one("precedence"), self.one("x-auto-response-suppress")) != ("bulk", "All"):
            self.no("E14", "Precedence: bulk or X-Auto-Response-Suppress: All is missing")
        feedback = self.one("feedback-id").split(":")
        if len(feedback) > 4 or any(re.search(r"[^!-~]", part) for part in feedback):
            self.no("E15", f"Feedback-ID is {self.one('feedback-id')!r}")

    def structure(self) -> None:
        try:
            strict = email.policy.default if self.smtputf8 else email.policy.strict
            message = email.message_from_bytes(self.raw, policy=strict)
            defects = [defect for part in message.walk() for defect in part.defects]
            defects += [defect for name in message for defect in message[name].defects if not self.smtputf8]
        except email.errors.MessageError as error:
            self.no("E18", f"the strict parser says {error!r}")
            return
        if defects:
            self.no("E18", f"defects: {defects!r}")
        kinds = [part.get_content_type() for part in message.walk()]
        if kinds != ["multipart/alternative", "text/plain", "text/html"]:
            self.no("E18", f"the parts are {kinds}")
            return
        self._same_by_hand(message)
        if len(self.raw) > 150_000:
            self.no("E20", f"a message of {len(self.raw)} octets")

    def _same_by_hand(self, message: EmailMessage) -> None:
        try:
            by_hand = parts(self.one("content-type"), self.body)
        except (AssertionError, ValueError) as error:
            self.no("E18", f"cannot be taken apart: {error!r}")
            return
        for part, parsed in zip(by_hand, message.iter_parts(), strict=True):
            if not part.headers["content-type"].endswith("; charset=utf-8"):
                self.no("E18", f"a part is {part.headers['content-type']}")
            if part.headers["content-transfer-encoding"] not in {"7bit", "quoted-printable"} or max(part.raw) > 126:
                self.no("E18", "a part is neither clean 7bit nor quoted-printable")
            if str(parsed.get_content()).replace("\r\n", "\n").rstrip("\n") != part.text.rstrip("\n"):
                self.no("E18", "two readers read two texts")
            for line in part.raw.split(b"\r\n"):
                if len(line) > 76 or line.endswith((b" ", b"\t")):
                    self.no("E1", f"a line of {len(line)} columns, or blanks at its end")
                if line.startswith((b".", b"From ")):
                    self.no("E23", f"a line that a mailbox or a relay may change: {line[:20]!r}")

    def contents(self, *, title: str | None, link: str | None, postal_address: Sequence[str]) -> None:
        try:
            text, html = texts_of(self.raw)
        except (AssertionError, KeyError, ValueError):
            return
        page = Page(html)
        self.found += page.violations(site_host=self.site_host, link=link)
        if len(html.encode("utf-8")) > 90_000:
            self.no("E20", f"HTML of {len(html.encode())} octets")
        for line in (*([title] if title else []), *postal_address):
            for shown in (text, page.text):
                if " ".join(line.split()) not in " ".join(shown.split()):
                    self.no("E22" if line in postal_address else "E19", f"no {line!r} in one of the parts")
        if self.kind in LIST_HEADERS:
            self._links(text, page, link)

    def _links(self, text: str, page: Page, link: str | None) -> None:
        own = self.one("list-unsubscribe").partition(">")[0].removeprefix("<")
        chinese = str(page.root.get("lang")).startswith("zh")
        reason = _REASONS[self.kind][chinese]
        leave = "退订" if chinese else "unsubscribe"
        if link and link not in text.split("\n"):
            self.no("E19", "the link does not stand on a line of its own")
        if own not in text.split("\n") or reason not in " ".join(text.split()):
            self.no("E19", "no unsubscribe link or no reason in the text")
        if own not in page.links or leave not in page.text.lower():
            self.no("E22", "no visible unsubscribe link in the HTML")
