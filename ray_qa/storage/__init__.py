"""Where files lie: written so that a reader sees all of one or nothing, whatever dies when.

``places`` (what is done with a place of either kind) · ``local`` · ``objects`` · ``stores`` ·
``file_systems`` · ``listing`` · ``remote`` · ``credentials`` · ``scratch``
"""
