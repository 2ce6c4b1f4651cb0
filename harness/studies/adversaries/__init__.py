"""How far a detector holds against somebody who tries: adversaries of graded knowledge, budgets and controls."""
