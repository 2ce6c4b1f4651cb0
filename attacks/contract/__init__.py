"""The contract of an attack: its template, parameters, claims, what it may know, and chains.

It must not know any attack, nor how claims are measured.
"""
