"""The daemon: the clock, the workers, the signals. Its steps are services; here they are only called in turn.

``run`` is the main process, ``sender`` one that sends beside it, ``once`` a single round. Each is imported by itself: a
sender starts in half the time without what only the others need.
"""
