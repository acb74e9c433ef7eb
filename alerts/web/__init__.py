"""The site: what readers, operators and probes see over HTTP.

``site.py`` puts it together, one file an audience holds its pages (``public``, ``leave``, ``manage``, ``confirm``,
``catcher``, ``health``), and everything that holds for every answer is in ``guard.py``. Nothing that changes state
hangs on a GET, no page needs JavaScript or a cookie, and links are made from ``site.url``, never from a request.
"""
