"""What tells the files of one kind from all others: their tables and their marks."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Schema:
    """A kind of file.

    Every file has a table `facts` besides, of names and values: what is to be known of
    all of it.

    Attributes:
        what: What such a file holds, in words that follow "a".
        application: A number below 2**31, other than 0, that SQLite keeps in the head
            of the file: a file with another is refused.
        version: Version of the format; files of a newer one are refused.
        tables: The statements that create the tables, as they are kept in every file:
            another text is another format.
        most_bytes: The largest value in a row.
    """

    what: str
    application: int
    version: int
    tables: str
    most_bytes: int
