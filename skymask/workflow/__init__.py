"""What the Snakemake workflow needs beside its rules: jobs, locks, shortcuts."""
