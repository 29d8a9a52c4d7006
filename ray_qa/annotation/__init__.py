"""The command annotate: a corpus in, its answers out.

``annotate`` (the whole way) · ``config`` · ``planning`` · ``calibration`` · ``running`` · ``pipeline`` · ``stages`` ·
``output`` · ``parts`` · ``accounting`` · ``progress`` · ``profile`` · ``summary``
"""
