"""Tests of answers, overview and dictionary."""
