"""The command export: answers out of an output of annotate, in the forms that others read.

``export`` (the whole way) · ``config`` · ``squad`` · ``jsonl`` · ``csv_rows`` ·
``parquet_folder``
"""
