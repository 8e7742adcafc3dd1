"""report.json to figures, PDF and terminal tables. No number is computed here; matplotlib and typst load lazily."""
