"""Email addresses as people type them: one spelling to mail to, one key to know a person by, or a plain reason.

No DNS and no opinion whether anybody lives there: that is what a confirmation is for. Quoted local parts, comments and
domain literals are legal and nobody's real address; they are refused, because each is a way to smuggle characters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from unicodedata import normalize as unicode_normalize

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from alerts.core.errors import AddressError

LONGEST = 254  # octets: RFC 5321's path of 256 without its angle brackets
_LONGEST_INPUT = 512  # characters: what is longer is not looked at
_LONGEST_LOCAL = 64  # octets
_LONGEST_DOMAIN = 253
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"(?!..--)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_PLAIN = re.compile(  # nearly all addresses: ASCII and without surprises, at a tenth of the cost of the long way
    rf"(?P<local>{_ATOM}(?:\.{_ATOM})*)@(?P<domain>(?:{_LABEL}\.)+[A-Za-z]{{2,63}})"
)

# The library's own switch: a company's mail.corp.local and a test's reader@site.test are real to whoever runs them.
SPECIAL_USE_DOMAIN_NAMES.clear()


@dataclass(frozen=True, slots=True)
class Address:
    """An address that we can mail to."""

    email: str  # what we mail to and show: the local part as given (NFC), the domain as A-label in lower case (E24)
    key: str  # who it is: the same for every spelling by case or Unicode form
    domain_ascii: str  # A-label, lower case
    needs_smtputf8: bool  # the local part is not ASCII


def normalise(email: str) -> Address:
    """Read an address; raise AddressError saying what is wrong with it.

    >>> normalise(" Alice@EXAMPLE.com ").email
    'Alice@example.com'
    """
    email = email.strip()
    if not email:
        raise AddressError("the address is empty")
    if len(email) > _LONGEST_INPUT:
        raise AddressError(f"the address is too long: {len(email)} characters, at most {LONGEST} fit")
    if "\ufffd" in email:  # what a decoder puts where it could not read; nobody's mailbox is called that
        raise AddressError(f"{_shown(email)} is not an email address: a sign in it could not be read")
    local, domain = _split_plain(email) or _split_any(email)
    return Address(
        email=f"{local}@{domain}",
        key=f"{unicode_normalize('NFC', local.casefold())}@{domain}",
        domain_ascii=domain,
        needs_smtputf8=not local.isascii(),
    )


def mask(email: str) -> str:
    """Show just enough of an address for its owner to know it: ``b•••@e…`` (U8).

    >>> mask("bob@example.com")
    'b•••@e…'
    """
    local, _, domain = email.rpartition("@")
    return f"{local[:1]}•••@{domain[:1]}…"


def _split_plain(email: str) -> tuple[str, str] | None:
    found = _PLAIN.fullmatch(email)
    if found is None or len(email) > LONGEST:
        return None
    if len(found["local"]) > _LONGEST_LOCAL or len(found["domain"]) > _LONGEST_DOMAIN:
        return None
    return found["local"], found["domain"].lower()


def _split_any(email: str) -> tuple[str, str]:
    """Take the long way: international addresses, and the reason why something is none."""
    try:
        found = validate_email(email, check_deliverability=False, globally_deliverable=False, strict=True)
    except EmailNotValidError as error:
        raise AddressError(f"{_shown(email)} is not an email address: {_plain_words(str(error))}") from error
    except (ValueError, LookupError) as error:  # what the library or its codecs did not expect
        raise AddressError(f"{_shown(email)} is not an email address") from error
    domain = found.ascii_domain.lower()
    _check_domain(email, domain)
    if len(f"{found.local_part}@{domain}".encode()) > LONGEST:
        raise AddressError(f"{_shown(email)} is too long: at most {LONGEST} octets fit")
    return found.local_part, domain


def _check_domain(email: str, domain: str) -> None:
    """Ask for a domain that looks like one; the operator's own machine, and a company's own names, are fine."""
    labels = domain.split(".")
    if len(labels) == 1 and domain != "localhost":
        raise AddressError(f"{_shown(email)} is not an email address: there is no ending such as .com after the @-sign")
    if labels[-1].isdigit():
        raise AddressError(f"{_shown(email)} is not an email address: numbers are no domain")


def _shown(email: str) -> str:
    """Show what was typed on one line, whatever it was."""
    text = email if len(email) <= 60 else email[:59] + "…"  # noqa: PLR2004 - enough to recognise it
    return ascii(text) if not text.isprintable() else f"“{text}”"


def _plain_words(reason: str) -> str:
    return (reason[:1].lower() + reason[1:]).rstrip(".")
