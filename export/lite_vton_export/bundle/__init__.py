"""Networks to a finished bundle: plan, export, verify, rename into place."""
