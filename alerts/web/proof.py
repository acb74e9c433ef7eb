"""What our forms carry against bots, and what is made of it when they come back.

Four things, none of which a person notices: a field that only a bot fills in, a stamp that tells when the form was
shown, and, where the operator asks for it, a browser's work, or a wait in its place for who has no JavaScript.
A form that somebody put on a page of their own has none of them; it counts, unless work is asked for.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from jinja2 import Environment
from markupsafe import Markup

from alerts.app import App
from alerts.core.sentences import N_
from alerts.core.stamps import Proof, is_timely, stamp, waited, waiting_stamp
from alerts.core.tokens import proof_key
from alerts.web import work
from alerts.web.forms import Fields

ONCE_MORE = N_("Almost there: please press the button once more.")
A_LITTLE_LATER = N_("Almost there: please wait five seconds, then press the button once more.")
STALE = N_("This page was open for too long, or was sent twice. Please press the button once more.")

DECOY, STAMP, WAITED, WORK = "website", "stamp", "waited", "proof"  # the fields' names


class Verdict(StrEnum):
    """What a form's proof says about who sent it."""

    PASSED = "passed"
    BOT = "bot"  # it gets the answer that everybody gets, and nothing is done
    AGAIN = "again"  # too soon, too late, or no stamp of ours: to be pressed once more
    WORK_MISSING = "work_missing"  # no JavaScript, perhaps: to be pressed once more, a little later
    WORK_REFUSED = "work_refused"  # expired, tampered with, somebody else's, or spent before


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict, and what must be spent with the form, if it passed."""

    verdict: Verdict
    spends: Proof | None = None


class Again(NamedTuple):
    """Why the form is shown again."""

    note: str
    status: int


class FormProof:
    """Writes these fields into the forms of one answer: ``form_proof()`` of the templates."""

    def __init__(self, app: App, environment: Environment, said: Mapping[str, Any]) -> None:
        self._app = app
        self._environment = environment
        self._said = said
        self.has_script = False

    def __call__(self, *, wait: bool = False) -> Markup:
        """Return the fields; ``wait`` lets the form count by a wait of some seconds too."""
        now = self._app.clock()
        asks_work = self._app.config.subscribe.proof_of_work
        first, self.has_script = asks_work and not self.has_script, self.has_script or asks_work
        fields = self._environment.get_template("form_proof.html").render(
            {
                **self._said,
                "stamp": stamp(now, secrets.randbits(64), self._app.secrets),
                "waited": waiting_stamp(now, secrets.randbits(64), self._app.secrets) if wait and asks_work else None,
                "challenge": work.challenge(proof_key(self._app.secrets), now) if asks_work else None,
                "most_tries": work.MOST_TRIES,
                "script": first,
            }
        )
        return Markup(fields)  # noqa: S704 - a template's output, escaped there


def judge(app: App, fields: Fields, now: datetime) -> Judged:
    """Judge a form by what it brought along."""
    keys = app.secrets
    if any(fields.get(DECOY, [])):
        return Judged(Verdict.BOT)
    shown = fields.get(STAMP)
    if shown is not None and not is_timely(shown[-1], now, keys):
        return Judged(Verdict.AGAIN)
    if not app.config.subscribe.proof_of_work:
        return Judged(Verdict.PASSED)
    worked = fields.get(WORK, [""])[-1]
    if worked:
        proof = work.judge(worked, proof_key(keys))
        return Judged(Verdict.PASSED, proof) if proof else Judged(Verdict.WORK_REFUSED)
    proof = waited(fields.get(WAITED, [""])[-1], now, keys)
    return Judged(Verdict.PASSED, proof) if proof else Judged(Verdict.WORK_MISSING)


def asks_again(judged: Judged) -> Again | None:
    """Say what keeps a form from counting yet."""
    match judged.verdict:
        case Verdict.AGAIN:
            return Again(ONCE_MORE, 200)
        case Verdict.WORK_MISSING:
            return Again(A_LITTLE_LATER, 200)
        case Verdict.WORK_REFUSED:
            return Again(STALE, 422)
        case Verdict.PASSED | Verdict.BOT:
            return None
