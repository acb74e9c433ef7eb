"""What it takes to ask an address something by mail when a form wants it: a token's salt, and whose budget it costs."""

from __future__ import annotations

from dataclasses import dataclass, field

from alerts.core.tokens import Secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """One visit's means to cause a mail."""

    secrets: Secrets
    salt: bytes = field(repr=False)  # 16 random bytes, for the token in the mail
    network: str  # the visitor's, such as 203.0.113.0/24
    site_limit: int  # mails an hour that all forms together may cause
