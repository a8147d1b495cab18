"""Worker processes: what they run, what they say, and the deadlines they are held to.

They may touch `session.scenario`, `session.selection`, `session.plan`, `reporting`, `settings` and
`processes`; not `session.running`.
"""
