"""The commands ask and inspect: one text and a question or a few, read at once on this machine, without Ray.

``ask`` (the whole way) · ``inspect`` (the whole way) · ``config`` · ``context`` · ``sentences`` ·
``verdict`` · ``tables`` · ``page``
"""
