"""From the records of the runs to tables and report.json. Nothing is measured here; no torch."""
