"""Arguments and options of the verbs, declared once each; a file is a group of the help text."""
