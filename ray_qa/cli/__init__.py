"""The ``ray-qa`` command line.

``main`` · ``commands`` · ``stopping`` · ``parser`` · ``flag_mistakes`` · ``flags`` · ``help_page`` · ``completion`` ·
``demo``
"""
