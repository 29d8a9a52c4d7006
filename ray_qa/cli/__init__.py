"""The ``ray-qa`` command line.

``main`` · ``stopping`` · ``parser`` · ``flag_mistakes`` · ``flags`` · ``help_page`` · ``completion`` · ``demo``
"""
