"""Doctor: what an operator must mend before real mail goes out. Looks at the config alone; touches nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from alerts.config import Config


class Severity(StrEnum):
    """How much a finding matters."""

    MEND = "mend"  # real mail would be refused, or be wrong
    CONSIDER = "consider"  # it works, but could be better


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing to mend: the key it is about, and what to do."""

    severity: Severity
    key: str
    text: str


_LOCAL = ("localhost", ".localhost", ".local", ".test", ".invalid", ".example", "example.com", "example.org")


def _is_local(host: str) -> bool:
    return host in {"127.0.0.1", "::1", ""} or host.endswith(_LOCAL)


def examine(config: Config) -> list[Finding]:
    """List what stands between this config and real readers."""
    return [*_site(config), *_sender(config), *_relays(config)]


def _site(config: Config) -> list[Finding]:
    found = []
    url = urlsplit(config.site.url)
    if _is_local(url.hostname or ""):
        text = f"{config.site.url} means nothing on a reader's machine: links in mails must lead to your public address"
        found.append(Finding(severity=Severity.MEND, key="site.url", text=text))
    elif url.scheme != "https":
        text = "one-click unsubscribe needs https (RFC 8058): mailboxes show no button otherwise"
        found.append(Finding(severity=Severity.MEND, key="site.url", text=text))
    if not config.site.postal_address:
        text = "bulk mail must show a postal address in many countries (CAN-SPAM); it stands in the footer of each mail"
        found.append(Finding(severity=Severity.MEND, key="site.postal_address", text=text))
    return found


def _sender(config: Config) -> list[Finding]:
    domain = config.mail.sender.rpartition("@")[2]
    if not _is_local(domain):
        return []
    text = f"{config.mail.sender} is nobody's address: use one of a domain with SPF, DKIM and DMARC records"
    return [Finding(severity=Severity.MEND, key="mail.sender", text=text)]


def _relays(config: Config) -> list[Finding]:
    found = []
    for one in config.mail.relays:
        if one.scheme == "catcher":
            text = "mails go to the built-in catcher, not to readers: name a relay, e.g. smtp://user@relay.example:587"
            found.append(Finding(severity=Severity.MEND, key="mail.relays", text=text))
            if not _is_local(config.web.host):
                text = f"the site listens on {config.web.host}, so anybody can read the caught mails"
                found.append(Finding(severity=Severity.MEND, key="web.listen", text=text))
        elif one.tls == "none" and not _is_local(one.host):
            text = f"{one.url}: mails and addresses travel unencrypted; say `tls: required`"
            found.append(Finding(severity=Severity.MEND, key="mail.relays", text=text))
        elif one.tls == "opportunistic" and not _is_local(one.host):
            text = f"{one.url}: a man in the middle can switch encryption off; say `tls: required`"
            found.append(Finding(severity=Severity.CONSIDER, key="mail.relays", text=text))
    return found
