"""The command annotate: a corpus in, its answers out.

``annotate`` (the whole way) · ``config`` · ``planning`` · ``calibration`` · ``engine_used`` · ``running`` ·
``pipeline`` · ``stages`` · ``reading_tasks`` ·
``output`` · ``attempts`` · ``manifest`` · ``parts`` · ``accounting`` · ``progress`` · ``timeline`` ·
``profile`` · ``summary`` · ``card`` · ``report``
"""
