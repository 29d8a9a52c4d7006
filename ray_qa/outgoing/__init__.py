"""Rows of an annotate output on their way out: what the commands share that hand some or all of them on.

``json_values`` · ``label_studio`` · ``destination``
"""
