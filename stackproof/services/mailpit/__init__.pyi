from .fixture import MailFixture as MailFixture
from .server import SERVICE as SERVICE
from .server import Mailpit as Mailpit
