"""Who was erased, whose a record is, and cleaning landed objects. Other rooms import `protocol` only."""
