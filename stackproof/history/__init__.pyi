from .anomaly import Anomaly as Anomaly
from .anomaly import WitnessRecord as WitnessRecord
from .books import FlowRecords as FlowRecords
from .checks import CHECKS as CHECKS
from .checks import Check as Check
from .columns import Event as Event
from .columns import Snapshot as Snapshot
from .digests import Enclosed as Enclosed
from .digests import carried_digest as carried_digest
from .digests import digest_of as digest_of
from .digests import preview as preview
from .files import (
    HistoryError as HistoryError,
)
from .files import (
    load as load,
)
from .files import (
    recheck as recheck,
)
from .files import (
    render_check as render_check,
)
from .files import (
    save as save,
)
from .flow import Flow as Flow
from .guarantee import GUARANTEES as GUARANTEES
from .guarantee import Guarantee as Guarantee
from .record import History as History
from .record import Status as Status
from .verdict import Figures as Figures
from .verdict import Verdict as Verdict
from .verdict import check_flow as check_flow
