"""What a channel's last month says of the mails to come. Decides only; the rows are counted elsewhere."""

from __future__ import annotations

from datetime import timedelta

MONTH = timedelta(days=30)
TOO_YOUNG = timedelta(days=7)  # a week has its weekend; less says nothing of a month
_FEW = 100  # more than that, and the last digit would be a lie


def mails_a_month(count: int, *, age: timedelta) -> int | None:
    """Say about how many mails a month a channel makes that had ``count`` in its last 30 days, or since it began.

    None is "too young to say"; 0 is "none of late".

    >>> mails_a_month(9, age=timedelta(days=400)), mails_a_month(3, age=timedelta(days=10))
    (9, 9)
    >>> mails_a_month(3, age=timedelta(days=1)), mails_a_month(1234, age=timedelta(days=30))
    (None, 1200)
    """
    if age < TOO_YOUNG:
        return None
    about = round(count * (MONTH / min(age, MONTH)))
    return about if about < _FEW else int(float(f"{about:.2g}"))
