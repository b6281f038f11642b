"""Clothing Co-Parsing: street photos with a parse of 59 labels, converted into VITON-HD's layout."""
