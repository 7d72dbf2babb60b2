"""`lakehouse verify` finds what somebody damaged by hand, and nothing where nobody did."""
