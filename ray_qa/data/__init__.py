"""Rows in and out: which files and rows there are, what columns they have, what the gold answers say.

``file_kinds`` · ``file_search`` · ``object_search`` · ``parquet_opening`` ·
``partitions`` · ``schemas`` · ``schema_union`` · ``dictionaries`` ·
``parquet_files`` · ``units`` · ``row_groups`` · ``parts`` · ``squad_json`` · ``example_schema`` · ``example_rows`` ·
``example_tables`` · ``example_sources`` · ``example_digest`` · ``examples`` · ``gold``
"""
