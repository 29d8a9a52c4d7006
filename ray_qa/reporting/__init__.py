"""The command report, a page about an output of annotate, which annotate has made of its own where that is asked for.

``report`` (the whole way) · ``config`` · ``columns`` · ``run_facts`` · ``statistics`` · ``histogram`` · ``samples`` ·
``correctness`` · ``page`` · ``charts`` · ``drawing``
"""
