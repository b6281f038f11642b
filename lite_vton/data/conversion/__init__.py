"""Other people's photographs to training pairs: journal, report, contact sheet."""
