"""Deliver: claim what is due, compose it, hand it to the relays, keep what they said. The rows are the only truth.

A row is marked claimed, durably, before a connection sees it; a result is on disk before that connection sees the
next. So a kill loses nothing and repeats at most one mail a connection, each with its own Message-ID.

    means      what it needs beside the ledger, and what a run did
    claims     what was claimed: fetched before it runs out, given back at the end
    run        turns, one message at a time for each connection
    under_way  letters in hand, and what becomes of each
    outcomes   results in groups, a durable transaction each
"""

from alerts.services.deliver.claims import LEASE
from alerts.services.deliver.means import AtOnce, Carrier, Delivered, Means
from alerts.services.deliver.run import deliver

__all__ = ["LEASE", "AtOnce", "Carrier", "Delivered", "Means", "deliver"]
