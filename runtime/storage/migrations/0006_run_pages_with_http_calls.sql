-- Pages tell of HTTP calls now. Those of the form before were never written by a release, and cannot be read.
DELETE FROM run_pages;
