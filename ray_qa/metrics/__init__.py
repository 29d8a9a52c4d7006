"""How good answers are: official definitions, and what can be said of decisions made by them.

``squad`` · ``bootstrap`` · ``thresholds`` · ``comparison`` · ``calibration`` · ``selective``
"""
