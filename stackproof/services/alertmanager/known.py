"""What server and fixture of Alertmanager call the same."""

#: In the directory that it reads.
CONFIGURATION = "alertmanager.yml"
