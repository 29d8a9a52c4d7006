"""Predictions and gold answers brought together, row by row: what every command that judges begins with.

``judge`` (the whole way) · ``judged_rows`` · ``predictions`` · ``matching`` · ``traits``
"""
