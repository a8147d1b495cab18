"""Redis and RabbitMQ servers that are not ours, whatever they answer."""
