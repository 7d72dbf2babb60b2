"""What sets up and shows the lake on AWS. Not part of what is installed."""
