"""Who does a step: the ``WorkQueue`` port, and its adapters for one process and for many nodes.

A job says only which row to look at: (step, key). What is true stands in the ledger, so a job may be lost, repeated
or run by two at once, and nothing is lost, repeated or done twice. ``cluster`` is imported by who needs it: its engine
is an extra.
"""

from alerts.queue.local import LocalQueue
from alerts.queue.port import Enlist, Handler, Job, Step, WorkQueue

__all__ = ["Enlist", "Handler", "Job", "LocalQueue", "Step", "WorkQueue"]
