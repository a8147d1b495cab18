from .checking import MODELS as MODELS
from .checking import check as check
from .checking import expectation_from as expectation_from
from .limit import Limit as Limit
from .lock import Locks as Locks
from .queue import Queue as Queue
from .register import Registers as Registers
from .sets import Members as Members
