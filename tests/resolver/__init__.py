"""Tests of the resolver, which is pure: no broker, no clock."""
