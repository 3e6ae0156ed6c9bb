"""The SDK by itself, on whatever Python runs this. As components, its guests are run by `tests/it`."""
