"""The same gate in pytest: the fixture `gate` comes with the package."""


def test_the_new_prompt_is_no_worse(gate):
    gate("scores.csv", baseline="old", expect=["better", "equivalent"], margin=0.03)
