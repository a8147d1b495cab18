from .copying import COPYING as COPYING
from .copying import Copying as Copying
from .losing import Producers as Producers
from .transacting import TRANSACTION as TRANSACTION
from .transacting import TRANSFORMER as TRANSFORMER
from .transacting import Isolation as Isolation
from .transacting import OpenTransaction as OpenTransaction
from .transacting import Transformer as Transformer
