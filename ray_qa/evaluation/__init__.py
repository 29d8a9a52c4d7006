"""The command evaluate: predictions against gold answers.

``evaluate`` (the whole way) · ``config`` · ``breakdowns`` · ``changes`` · ``table``
"""
