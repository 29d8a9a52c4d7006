"""The ``ray-qa`` command line.

``main`` · ``parser`` · ``validation_messages`` · ``demo``
"""
