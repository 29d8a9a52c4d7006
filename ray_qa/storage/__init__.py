"""Where files lie: written so that a reader sees all of one or nothing, whatever dies when.

``local``
"""
