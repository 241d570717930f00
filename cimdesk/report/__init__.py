"""Findings to a document. Receives pictures and tables, never renders the scene."""
