"""Files that somebody gives: of which kind they are, how large, and the text in them."""
