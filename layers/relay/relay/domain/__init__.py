"""The relay's domain: kinds of events, findings, outcomes, movements of money. No I/O."""
