"""News Alert: a mail the moment an article about your topic appears.

    source ──▶ article ──▶ match ──▶ delivery ──▶ message ──▶ SMTP       the news flow, driven by the clock
      poll       ingest      match     fan out      compose     deliver
                                          ▲
    person ──▶ subscription ──────────────┘                               the people flow, driven by the web
      subscribe · confirm · manage · unsubscribe          bounce ──▶ ends a subscription

Arrows are rows in the database. A step reads the rows that are due, writes the next rows in one transaction, and
never calls the next step. The floors, top to bottom: ``cli``, ``daemon``, ``web``, ``app``, ``services``, then the
four edges ``storage``, ``sources``, ``mail``, ``queue``, then ``config``, ``metrics``, ``logs``, then ``core``.
"""

__version__ = "0.1.0"
