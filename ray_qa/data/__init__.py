"""Rows in and out: which files and rows there are, what columns they have, what the gold answers say.

``row_forms`` · ``offset_units`` · ``unpacking`` · ``file_kinds`` · ``file_search`` · ``object_search`` ·
``parquet_opening`` · ``partitions`` · ``schemas`` · ``schema_union`` · ``dictionaries`` · ``parquet_files`` ·
``units`` · ``row_choice`` · ``row_groups`` · ``parts`` · ``json_streams`` · ``json_lines`` · ``squad_json`` ·
``data_sets`` · ``object_tables`` · ``frames`` · ``reviewed_tasks`` · ``row_streams`` · ``text_files`` ·
``value_digest`` · ``row_sources`` · ``parquet_writing`` · ``conversion`` · ``question_sets`` · ``part_tables`` ·
``answer_columns`` · ``example_schema`` · ``example_rows`` · ``example_tables`` · ``example_sources`` · ``examples`` ·
``gold``
"""
