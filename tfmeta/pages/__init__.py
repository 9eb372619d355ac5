"""Self-contained HTML pages: one file that opens offline, in any browser.

`markup` is a tree of elements in which text is text, `picture_data` puts pictures of
files into it, and `expectation_page` writes the page of an expectation.
"""
