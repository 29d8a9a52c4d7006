"""The command rescore: a finished corpus under another threshold, from the columns that annotate stored; no model.

``rescore`` (the whole way) · ``config`` · ``chosen`` · ``promise`` · ``outcomes`` · ``parts`` · ``output`` ·
``summary``
"""
