# Plan a budget
#
# How many generations does it take to find a gain of 0.05? Ask before you run anything. Here the noise of one
# text is given; after a sweep leave --noise-sd and --cases out, and those of the study are used.
#
# Run: bash examples/recipes/plan-a-budget.sh
# Shows: generations
# Runs on: nothing
sweeps plan --gain 0.05 --noise-sd 0.09 --cases 6
sweeps plan --gain 0.02 --noise-sd 0.09 --cases 6
