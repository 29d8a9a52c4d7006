"""The ``ray-qa`` command line.

``main`` · ``stopping`` · ``parser`` · ``flags`` · ``help_page`` · ``completion`` · ``demo``
"""
