"""The page of a profile: one HTML file with tables, charts and moving recordings that asks nothing of any network."""
