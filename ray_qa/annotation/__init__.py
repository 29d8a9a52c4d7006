"""The command annotate: a corpus in, its answers out.

``annotate`` (the whole way) · ``config`` · ``planning`` · ``calibration`` · ``engine_used`` · ``running`` ·
``pipeline`` · ``stages`` · ``reading_tasks`` ·
``output`` · ``attempts`` · ``manifest`` · ``parts`` · ``likeness`` · ``accounting`` · ``progress`` · ``timeline`` ·
``profile`` · ``summary`` · ``card`` · ``report`` · ``forecast`` (of the command plan) · ``forecast_config`` ·
``probe`` · ``memory`` · ``gpu_rates`` · ``forecast_text``
"""
