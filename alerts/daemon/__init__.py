"""The daemon: the clock, the workers, the signals. Its steps are services; here they are only called in turn."""

from alerts.daemon.once import Summary, run_once
from alerts.daemon.run import SenderProcesses, run_daemon
from alerts.daemon.sender import run_sender
from alerts.daemon.shares import cores

__all__ = ["SenderProcesses", "Summary", "cores", "run_daemon", "run_once", "run_sender"]
