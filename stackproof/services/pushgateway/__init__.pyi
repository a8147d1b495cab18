from .fixture import PushFixture as PushFixture
from .server import SERVICE as SERVICE
from .server import Pushgateway as Pushgateway
