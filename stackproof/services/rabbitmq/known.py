"""What server, client, probe and fixture of RabbitMQ call the same."""

FIRST = "node-1"
#: The user, whose password is the same, and the virtual host that every new server has.
USER, VIRTUAL_HOST = "guest", "/"
#: Delivery mode of messages that the broker keeps on its disk.
PERSISTENT = 2
