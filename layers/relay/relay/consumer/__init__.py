"""The consumer: what every function behind a queue does with a batch of records.

`consumer` reads the records, has each handled while there is time, and puts what came of them on
queues. `settler` decides what happens to a record: acknowledge, retry later, hold, or dead-letter.
"""
