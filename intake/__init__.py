"""Intake: takes what people ask for, gives the receipt, and keeps who they are to itself."""
