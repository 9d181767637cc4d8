"""What users get: product files, figures, pages, the summary."""
