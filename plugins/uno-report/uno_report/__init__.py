"""`uno report`: one deployment as a page that needs nothing else, or as Markdown."""
