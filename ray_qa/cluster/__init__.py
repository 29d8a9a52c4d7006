"""Reaching Ray, placing work on its nodes, and what processes there have to mind.

``connection`` · ``knock`` · ``placement`` · ``growth`` · ``room`` · ``arithmetic`` · ``interruptions`` · ``worker`` ·
``worker_errors`` · ``telemetry``
"""
