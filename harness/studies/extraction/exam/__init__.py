"""What imitators are judged on: held-out clips under attack, in strata, beside what needs no learning."""
