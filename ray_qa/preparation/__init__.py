"""The command prepare: rows of any form in, Parquet out, with their gold answers checked.

``prepare`` (the whole way) · ``config`` · ``named`` · ``survey`` · ``gold_answers`` · ``counts`` · ``checked_tables`` ·
``sources`` · ``records`` · ``output`` · ``summary``
"""
