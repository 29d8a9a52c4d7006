"""The ``ray-qa`` command line.

``main`` · ``stopping`` · ``parser`` · ``demo``
"""
