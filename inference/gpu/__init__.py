"""The model server: one process per GPU paints the mouths of all broadcasts in common passes.

Face workers are its clients (`client.py`); they load no networks of their own.
"""
