"""Every place of a ledger against the suites for ledgers."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import make_url

from sweeps.ledger.database import LedgerError
from sweeps.ledger.ledger import Ledger
from tests.conformance.ledger import KEY, LedgerSuite, generation
from tests.conformance.ledger_studies import StudiesSuite


class TestSqliteFile(LedgerSuite, StudiesSuite):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return str(tmp_path / "ledger.db")


def test_a_path_and_its_url_are_the_same_ledger(tmp_path: Path) -> None:
    by_path, by_url = Ledger(tmp_path / "ledger.db"), Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    entry = by_path.generations.add(KEY, generation(), model="m")
    assert by_url.generations.find([KEY]) == {KEY.sha256: entry}
    assert by_url.url == by_path.url
    by_path.close()
    by_url.close()


@pytest.mark.postgres
class TestPostgres(LedgerSuite, StudiesSuite):
    """In a database whose own order of texts is that of a language."""

    @pytest.fixture
    def url(self, postgres_url: str) -> str:
        return postgres_url

    def test_the_password_is_not_shown(self, url: str) -> None:
        password = make_url(url).password
        assert password
        ledger = Ledger(url)
        assert password not in ledger.url
        ledger.close()
        wrong = make_url(url).set(password=f"{password}-wrong").render_as_string(hide_password=False)
        with pytest.raises(LedgerError, match="password authentication failed") as caught:
            Ledger(wrong)
        assert password not in str(caught.value)
        nowhere = make_url(url).set(port=1).render_as_string(hide_password=False)
        with pytest.raises(LedgerError, match="could not be opened") as caught:
            Ledger(nowhere)
        assert password not in str(caught.value)
