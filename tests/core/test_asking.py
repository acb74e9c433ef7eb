"""What a visit brings along to cause a mail."""

from alerts.core.asking import Asking
from alerts.core.tokens import Secrets


def test_nothing_of_a_token_to_come_is_shown() -> None:
    asking = Asking(
        secrets=Secrets(((1, b"s" * 32),)), salt=b"saltsaltsaltsalt", network="203.0.113.0/24", site_limit=9
    )
    assert "salt" not in repr(asking).replace("salt=", "")
    assert "ssss" not in repr(asking)
    assert "203.0.113.0/24" in repr(asking)
