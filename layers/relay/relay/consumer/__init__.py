"""The consumer: what every function behind a queue does with a batch of records.

`consumer` reads the records, handles each while there is time, and puts the resulting messages on
queues. `settler` decides what happens to a record: acknowledge, retry later, hold, or dead-letter.
"""
