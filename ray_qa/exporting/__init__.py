"""The command export: answers out of an output of annotate, in the forms that others read.

``export`` (the whole way) · ``config`` · ``destination`` · ``squad`` · ``jsonl`` ·
``csv_rows`` · ``label_studio`` · ``json_values`` · ``parquet_folder``
"""
