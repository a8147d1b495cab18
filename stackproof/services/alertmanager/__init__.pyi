from .fixture import AlertFixture as AlertFixture
from .server import SERVICE as SERVICE
from .server import Alertmanager as Alertmanager
