"""From an article and its channels to the bytes of a mail; knows neither subscribers' rows nor SMTP.

    contents   what a template may see: cleaned, bounded, every link checked
    render     templates to a subject, a text and an HTML page
    headers    header lines that nothing untrusted can break out of
    mime       quoted-printable and the multipart around the two parts
    compose    one whole mail, for one recipient
    splice     the same mail for many recipients: composed once, cut, joined anew for each

The same arguments always give the same bytes, so a repeated delivery is a repeated mail. The rules are those of
``docs/mail-rules.md``; comments cite them as E1, E9 …
"""

from alerts.core.messages.compose import (
    compose_alert,
    compose_confirmation,
    compose_digest,
    compose_notice,
    compose_test,
    compose_welcome,
)
from alerts.core.messages.contents import (
    Links,
    SiteIdentity,
    address_changed_contents,
    address_confirmation_contents,
    manage_link_contents,
)
from alerts.core.messages.headers import needs_smtputf8, wire_address
from alerts.core.messages.render import Rendered, Templates
from alerts.core.messages.splice import CompiledAlert, SpliceError, compile_alert

__all__ = [
    "CompiledAlert",
    "Links",
    "Rendered",
    "SiteIdentity",
    "SpliceError",
    "Templates",
    "address_changed_contents",
    "address_confirmation_contents",
    "compile_alert",
    "compose_alert",
    "compose_confirmation",
    "compose_digest",
    "compose_notice",
    "compose_test",
    "compose_welcome",
    "manage_link_contents",
    "needs_smtputf8",
    "wire_address",
]
