"""The paper's tables in small: train each row, judge it, write the page."""
