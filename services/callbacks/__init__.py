"""Callbacks: partners' webhooks, and notices to residents and liaisons; sent off the request path, with outcome."""
