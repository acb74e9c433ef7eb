"""Finds channels for readers; keeps them folded between two searches, as long as no channel changes."""

from __future__ import annotations

import asyncio

from sqlalchemy.ext.asyncio import AsyncConnection

from alerts.core.channel_search import ChannelIndex
from alerts.core.model import Channel
from alerts.storage.channels import ChannelsState, active_channels, channels_state


class ChannelFinder:
    """The index of one site's channels."""

    def __init__(self) -> None:
        self._index = ChannelIndex(())
        self._made_of: ChannelsState | None = None

    async def search(self, tx: AsyncConnection, asked: str) -> list[Channel]:
        """Return the active channels that answer, the best first."""
        state = await channels_state(tx)
        if state != self._made_of:
            # Aside, since thousands take a moment, and others wait for their page.
            self._index = await asyncio.to_thread(ChannelIndex, await active_channels(tx))
            self._made_of = state
        return self._index.search(asked)
