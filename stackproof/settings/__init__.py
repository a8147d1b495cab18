"""The one place where configuration comes together.

The command line overrides the environment, which overrides ``stackproof.toml``,
which overrides the defaults. Every value remembers where it came from.

It may touch `services`, which say what can be set of them.
"""

from stackproof.settings.loading import SETTINGS, Setting, Settings, load, load_systems
from stackproof.settings.services import ServiceSettings
from stackproof.settings.systems import SystemSettings, TopicSettings
from stackproof.values import COMMAND_LINE, DEFAULT, FILE_NAME

__all__ = [
    "COMMAND_LINE",
    "DEFAULT",
    "FILE_NAME",
    "SETTINGS",
    "ServiceSettings",
    "Setting",
    "Settings",
    "SystemSettings",
    "TopicSettings",
    "load",
    "load_systems",
]
