"""The lake on AWS, on this machine: `make demo-aws`. Not part of what is installed."""
