"""The command annotate: a corpus in, its answers out.

``annotate`` (the whole way) · ``config`` · ``pipeline`` · ``stages`` · ``output`` · ``parts`` ·
``progress`` · ``summary``
"""
