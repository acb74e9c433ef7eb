"""The daemon: the clock, the workers, the signals. Its steps are services; here they are only called in turn."""

from alerts.daemon.once import Summary, run_once
from alerts.daemon.run import run_daemon

__all__ = ["Summary", "run_daemon", "run_once"]
