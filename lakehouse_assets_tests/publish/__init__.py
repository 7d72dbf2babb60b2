"""Tests of casting, candidates, the gate and gold."""
