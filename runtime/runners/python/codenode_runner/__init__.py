"""What runs an author's `main.py`. Authors have no business here: what is theirs is the module `codenode`."""
