"""How a token stands in a path: as whatever a mail program made of it, a line break included (U7).

The framework's own ``path`` stops at one, and then answers in another way than it does for every other garbled token.
"""

from __future__ import annotations

from starlette.convertors import Convertor, register_url_convertor


class TokenConvertor(Convertor[str]):
    """All the rest of a path."""

    regex = r"(?s:.*)"

    def convert(self, value: str) -> str:
        """Leave it as it is: what a token means, ``core.tokens`` says."""
        return value

    def to_string(self, value: str) -> str:
        """Leave it as it is."""
        return value


register_url_convertor("token", TokenConvertor())
ANY_TOKEN = "{token:token}"  # noqa: S105 - of a route
