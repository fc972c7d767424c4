"""Measurements: Heed beside plain services on the same machine in the same run, each as a ratio (`make bench`)."""
