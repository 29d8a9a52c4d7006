"""The command annotate: a corpus in, its answers out.

``annotate`` (the whole way) · ``config`` · ``planning`` · ``calibration`` · ``pipeline`` · ``stages`` · ``output`` ·
``parts`` · ``progress`` · ``summary``
"""
