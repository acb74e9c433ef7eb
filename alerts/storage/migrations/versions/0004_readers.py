"""What readers do by themselves: pause, change their address, use the forms within their budgets.

A confirmation may owe two mails now, the question and what follows the answer, so its deliveries are unique by kind.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0004"
down_revision = "0003"
keeps_older = False

KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade(op: Operations) -> None:
    """Make it."""
    op.add_column("subscribers", sa.Column("paused_until_at", TIME))
    paused = sa.text("paused_until_at IS NOT NULL")
    op.create_index(
        "ix_subscribers_paused", "subscribers", ["paused_until_at"], sqlite_where=paused, postgresql_where=paused
    )
    op.add_column("confirmations", sa.Column("email", sa.Text))
    op.add_column("confirmations", sa.Column("former_email", sa.Text))
    op.drop_index("uq_deliveries_confirmation_id", "deliveries")
    held = sa.text("confirmation_id IS NOT NULL")
    op.create_index(
        "uq_deliveries_confirmation_id_kind",
        "deliveries",
        ["confirmation_id", "kind"],
        unique=True,
        sqlite_where=held,
        postgresql_where=held,
    )
    op.create_table(
        "budgeted_mails",
        sa.Column("id", KEY, nullable=False),
        sa.Column("address_hash", sa.Text, nullable=False),
        sa.Column("network", sa.Text, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_budgeted_mails"),
    )
    op.create_index("ix_budgeted_mails_address_hash_created_at", "budgeted_mails", ["address_hash", "created_at"])
    op.create_index("ix_budgeted_mails_network_created_at", "budgeted_mails", ["network", "created_at"])
    op.create_index("ix_budgeted_mails_created_at", "budgeted_mails", ["created_at"])
    op.create_table(
        "spent_proofs",
        sa.Column("proof_hash", sa.Text, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("proof_hash", name="pk_spent_proofs"),
    )
    op.create_index("ix_spent_proofs_expires_at", "spent_proofs", ["expires_at"])
