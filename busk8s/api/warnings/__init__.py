"""Warnings about objects that are accepted: what is deprecated, ignored, or surely not meant."""
