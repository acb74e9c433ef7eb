"""The configuration: read once, judged whole, frozen, handed down.

``load`` tells the story: ``document`` turns YAML into a tree that knows its lines, ``environment`` lays ``ALERTS_…``
over it, ``options`` says which keys there are, ``keys`` and ``values`` read them, and ``site``, ``relays`` and
``sources`` make ``model``'s frozen values of them. Every mistake is told at once, with its line and what was meant.
"""

from alerts.config.load import load_config
from alerts.config.model import ChannelConfig, Config, Listen, Mail, Relay, Retention, Site, SourceConfig, Tls, Web

__all__ = [
    "ChannelConfig",
    "Config",
    "Listen",
    "Mail",
    "Relay",
    "Retention",
    "Site",
    "SourceConfig",
    "Tls",
    "Web",
    "load_config",
]
