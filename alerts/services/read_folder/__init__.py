"""Read a folder: look at its files, read those that are ready, store their articles, keep what was seen of each.

Where the looks stand is kept in rows, not in memory: any process can take the second look. A folder may hold very many
files, so whatever goes through all of them does it in pieces, each a short transaction and a short turn of a thread.

    hold       our claim on the source, for as long as the poll lasts
    looking    what is there beside what is known, a piece at a time
    reading    one file: its articles, or why there is none
    run        the poll: looks, then reads and stores in steps
"""

from alerts.services.read_folder.run import FolderPoll, read_folder

__all__ = ["FolderPoll", "read_folder"]
