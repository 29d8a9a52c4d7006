"""What ``benchmarks.compare`` is made of: rows, contenders, their processes, figures."""
