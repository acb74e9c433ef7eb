from alerts.core.model import Envelope


def test_an_envelope_shows_neither_address_nor_letter() -> None:
    """It may stand in a traceback, and so in a log."""
    envelope = Envelope(7, "alerts@daily.example", "alice@example.org", b"Subject: Xiaomi\r\n\r\nDear Alice\r\n")
    assert repr(envelope) == str(envelope) == "Envelope(delivery_id=7)"
