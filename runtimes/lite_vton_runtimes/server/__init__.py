"""The server behind `lite-vton serve`: one bundle, the page that shows it, photo preparation, server-side backends."""
