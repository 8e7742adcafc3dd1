"""Makes the modules beside this file importable by every test: synthetic_study, report_data, train_setup."""
