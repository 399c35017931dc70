"""One suite per contract of the product. A test module subclasses it and supplies an implementation.

Each suite's docstring states the contract; the abstract class of the product names its suite. An implementation of your
own is tested in the same way, for example an engine:

    class TestMine(EngineSuite):
        name, model = "mine", "some-model:1b"

        @pytest.fixture
        def make(self):
            return lambda: MyEngine()
"""

import pytest

pytest.register_assert_rewrite(
    *(f"{__name__}.{suite}" for suite in ("engines", "ledger", "matchers", "samplers", "study_lock", "tracking"))
)
