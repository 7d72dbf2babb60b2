"""A lake that an earlier version wrote is opened, run and verified by this one."""
