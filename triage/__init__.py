"""Triage: what a request is about, how urgent it is and by when help is needed, each with its reasons."""
