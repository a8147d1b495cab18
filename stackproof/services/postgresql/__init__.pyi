from .fixture import Database as Database
from .fixture import Transaction as Transaction
from .replication import Replication as Replication
from .server import SERVICE as SERVICE
from .server import PostgreSQL as PostgreSQL
