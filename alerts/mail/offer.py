"""What a server offered at EHLO, and the commands that fit it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from alerts.core.deliveries import Reply, Stage
from alerts.core.model import Envelope

#: The stages that a command leads to, in their order.
COMMANDS = (Stage.MAIL, Stage.RCPT, Stage.DATA)
_LEADING_DOT = re.compile(rb"^\.", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """The extensions that matter to us (RFC 1870, 2920, 6152, 6531)."""

    size: bool = False
    size_limit: int = 0  # octets; 0: no limit said
    pipelining: bool = False
    eight_bit: bool = False
    smtputf8: bool = False

    @classmethod
    def of(cls, extensions: dict[str, str]) -> Offer:
        """Read what aiosmtplib kept of the EHLO reply; odd values mean "no limit"."""
        limit = extensions.get("size", "").strip()
        return cls(
            size="size" in extensions,
            size_limit=int(limit) if limit.isascii() and limit.isdigit() and len(limit) < 19 else 0,  # noqa: PLR2004 - 64 bits
            pipelining="pipelining" in extensions,
            eight_bit="8bitmime" in extensions,
            smtputf8="smtputf8" in extensions,
        )

    def refusal(self, envelope: Envelope) -> Reply | None:
        """Refuse, for this recipient alone, what this server cannot take (E24)."""
        if envelope.smtputf8 and not self.smtputf8:
            return Reply(code=553, text="the relay does not offer SMTPUTF8, which this address needs", stage=Stage.RCPT)
        if 0 < self.size_limit < len(envelope.message):
            return Reply(code=554, text=f"the relay takes at most {self.size_limit} octets", stage=Stage.BODY)
        return None

    def commands(self, envelope: Envelope) -> bytes:
        """Give the commands up to the body, a line for each stage of ``COMMANDS``."""
        options = f" SIZE={len(envelope.message)}" if self.size else ""
        if envelope.smtputf8:
            options += " SMTPUTF8" + (" BODY=8BITMIME" if self.eight_bit else "")
        return f"MAIL FROM:<{envelope.sender}>{options}\r\nRCPT TO:<{envelope.recipient}>\r\nDATA\r\n".encode()


def body(envelope: Envelope) -> bytes:
    """Make a message ready for DATA: leading dots doubled, the final dot at its end (RFC 5321 4.5.2)."""
    message = envelope.message
    if envelope.may_have_dots and (b"\n." in message or message.startswith(b".")):
        message = _LEADING_DOT.sub(b"..", message)
    return message + b".\r\n"
