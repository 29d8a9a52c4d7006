"""The ``ray-qa`` command line.

``main`` · ``parser`` · ``demo``
"""
