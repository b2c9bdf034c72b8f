"""A report as static pages: `content` says what is on them, `render.render_report` writes them as HTML.

Neither reads records or results: who calls them gathers the numbers.
"""
