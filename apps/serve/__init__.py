"""The API and the live page: what is decided, for programs and for people."""
