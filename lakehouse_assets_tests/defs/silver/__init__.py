"""Tests of the silver tables of the project."""
