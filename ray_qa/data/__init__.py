"""Rows in and out: which files and rows there are, what columns they have, what the gold answers say.

``parquet_files`` · ``units`` · ``row_groups`` · ``parts`` · ``schemas`` · ``squad_json`` · ``examples`` · ``gold``
"""
