"""The server: a page and an HTTP interface that caption pictures with one trained model."""
