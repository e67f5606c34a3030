"""What the relay is about: kinds of events, findings, outcomes, movements of money. No I/O."""
