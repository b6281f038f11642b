"""The verbs that make datasets."""
