"""The command sample: some rows of an annotate output for people to review, their answers filled in.

``sample`` (the whole way) · ``config`` · ``choice`` · ``squad_tasks``
"""
