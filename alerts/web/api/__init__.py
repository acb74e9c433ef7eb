"""The API, for programs: ``/api/v1``. ``articles`` is for a publisher's system, ``openapi`` describes it all.

Answers are JSON; what went wrong is a problem (RFC 9457). Who may do what is said by a key, never by a cookie.
"""
