"""Empty and furnished rooms whose echoes are known in closed form: an oracle and a fixture, no part of the package."""
