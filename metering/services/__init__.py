"""Verbs that write: counting, storage, plans."""
