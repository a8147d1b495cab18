"""What server, client and probe of Redis call the same."""

SERVER = "server"
