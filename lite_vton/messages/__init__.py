"""Parts of messages that people read: names to choose from, and commands to paste."""
