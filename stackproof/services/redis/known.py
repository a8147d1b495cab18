"""What server, client, probe and steps of Redis call the same."""

from typing import Literal

SERVER = "server"
#: One command for each key; one MSET or MGET; all commands sent before the first answer is read.
Batching = Literal["one by one", "in one batch", "in one pipeline"]
