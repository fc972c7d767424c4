"""The public REST API and the read side: who calls, how fast, which service answers, and what all of them know."""
