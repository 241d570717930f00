"""cimdesk: a desktop workstation for City Information Modelling. Importing it loads nothing heavy."""

__version__ = "0.1.0"
