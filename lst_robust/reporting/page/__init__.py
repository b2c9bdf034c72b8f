"""A report as static pages: `content` says what is on them, `render_report` writes them as HTML. Neither reads records or
files of results: who calls them gathers the numbers."""
