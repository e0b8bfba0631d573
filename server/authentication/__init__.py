"""Who calls, by what they present: keys of this server, and tokens of an issuer."""
