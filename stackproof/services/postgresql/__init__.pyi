from .fixture import Database as Database
from .fixture import Transaction as Transaction
from .server import SERVICE as SERVICE
from .server import PostgreSQL as PostgreSQL
