"""Files: FITS maps, event lists, tables and names of files; nothing is computed here."""
