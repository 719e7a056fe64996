"""The paper's evidence by command: evaluate systems on data, and make its tables and figures from the scores."""
