"""How good answers are, by official definitions.

``squad``
"""
