"""Reaching Ray, placing work on its nodes, and what a worker has to mind.

``connection`` · ``knock`` · ``placement`` · ``room`` · ``arithmetic`` · ``worker`` · ``worker_errors``
"""
