"""The ledger: tables, and one function for each question we ask of them. Rows in, frozen values out; no decisions."""
