"""Hours of steady load with kills in between: does anything grow?"""
