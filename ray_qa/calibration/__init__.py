"""The command calibrate: when a model is to abstain, and what its confidence stands for, fitted to gold answers.

``calibrate`` (the whole way) · ``config`` · ``halves`` · ``outcomes`` · ``fitting`` · ``quality`` · ``report`` ·
``weaknesses`` · ``model_card`` · ``table``
"""
