"""Everything as processes of its own, on one machine: brokers, database, replicas of every service."""
