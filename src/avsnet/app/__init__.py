"""The page: drop a picture and a recording, read metres. Needs the extra `app`; it serves this machine alone."""
