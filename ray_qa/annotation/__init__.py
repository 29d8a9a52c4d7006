"""The command annotate: a corpus in, its answers out.

``annotate`` (the whole way) · ``config`` · ``arithmetic`` · ``stages`` · ``output`` · ``parts`` · ``progress`` · ``summary``
"""
