"""The command line: nouns, then verbs. A thin mouth: parse, call a service, print.

Exit codes: 0 done, 1 failed, 2 usage or config error.
"""

from alerts.cli.root import main

__all__ = ["main"]
