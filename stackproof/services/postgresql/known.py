"""What server, client and probe of PostgreSQL call the same."""

PRIMARY = "primary"
#: The user and the database that every new server has.
USER, DATABASE = "postgres", "postgres"
