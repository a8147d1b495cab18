from .fixture import PrometheusFixture as PrometheusFixture
from .server import SERVICE as SERVICE
from .server import Prometheus as Prometheus
