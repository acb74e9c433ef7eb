"""Several nodes share one ledger: leases of what only one of them does, names of nodes, the engine's own tables.

The engine that hands out the work brings its tables with it. They are as of the version that ``pyproject.toml`` allows;
a later one of ours that allows another brings them along with a step of its own.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

from alerts.storage.postgresql import queue_schema

revision = "0003"
down_revision = "0002"
keeps_older = False


def upgrade(op: Operations) -> None:
    """Make them."""
    op.create_table(
        "leases",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("holder", sa.Text),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("beats", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )
    op.add_column("workers", sa.Column("name", sa.Text, nullable=False, server_default=sa.text("''")))
    bind = op.get_bind()
    if bind.dialect.name == "postgresql":
        # Without parameters, as it holds many statements, and percent signs.
        bind.exec_driver_sql(queue_schema(), execution_options={"no_parameters": True})
