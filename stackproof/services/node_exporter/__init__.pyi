from .fixture import HostFixture as HostFixture
from .server import SERVICE as SERVICE
from .server import NodeExporter as NodeExporter
