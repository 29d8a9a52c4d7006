"""What every long command has: a plan, an output folder that is its own, a log and a live line, versions to write down.

``plan_files`` · ``output_folder`` · ``ownership`` · ``leases`` · ``submitted_job`` · ``log`` · ``live_line`` ·
``clock`` · ``stretches`` · ``versions`` · ``part_labels`` · ``annotated_output`` · ``question_pairs`` ·
``annotated_rows`` · ``row_ids`` · ``cards`` · ``data_card`` · ``html_pages``
"""
