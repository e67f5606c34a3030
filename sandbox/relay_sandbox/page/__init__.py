"""The page: shows what becomes of each event, and lets one try, break, mend and send again."""
