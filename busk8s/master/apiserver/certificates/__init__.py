"""CertificateSigningRequests: what is asked, who signs what, and the task that does it."""
