"""Who does a step: the ``WorkQueue`` port, and its adapter for one process.

A job says only which row to look at: (step, key). What is true stands in the ledger, so a job may be lost, repeated
or run by two at once, and nothing is lost, repeated or done twice.
"""

from alerts.queue.local import LocalQueue
from alerts.queue.port import Handler, Job, Step, WorkQueue

__all__ = ["Handler", "Job", "LocalQueue", "Step", "WorkQueue"]
