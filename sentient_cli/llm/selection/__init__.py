"""Which of several models answers a call: those that can, of those that are well, by a policy; with the reasons."""
