"""Random small changes in a system under test: which of them do its features not see?"""
