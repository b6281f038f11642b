"""What each verb of the command line does, without parsing and without printing results."""
