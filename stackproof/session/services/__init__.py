"""What scenarios do with a service: `ScenarioSession.use` makes it.

A fixture may touch the scenario and the clients of its service, and knows no other service.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
