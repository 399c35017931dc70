"""Encodings that text files have, and the command in the message."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.files.encodings import NotUtf8Error, decode, looks_like

GERMAN = (
    "Petra: Der Ofen auf Linie 2 fiel um 03:12 aus; größere Schäden gibt es nicht.\nJonas: Wir prüfen die Kühlung.\n"
)
FRENCH = "Inès : le fichier a été déplacé à 14 h, et la sauvegarde échoue depuis.\nPaul : c'est réglé, ça marche.\n"
ENGLISH = "Ana: The café’s owner said “we’ll keep the naïve approach” – it costs £40.\nBob: Fine, we go with that.\n"
POLISH = (
    "Ola: Zadanie przeniesiono na wtorek, bo dysk był pełny.\nJan: Indeks budujemy według klienta i źródła błędów.\n"
)
RUSSIAN = "Иван: Ночное задание перенесли на вторник.\nОльга: Индекс строим по клиенту и дате, причина была в диске.\n"
JAPANESE = "田中: 夜間バッチは火曜日に移します。\n佐藤: 索引は顧客と日付で作ることに決めました。四十分かかります。\n"
CHINESE = "王明：夜间任务改到星期二。\n李华：索引按客户和日期建立，大约需要四十分钟。原因是磁盘空间不足。\n"
KOREAN = (
    "김민수: 야간 작업은 화요일로 옮깁니다.\n이영희: 색인은 고객과 날짜로 만들기로 했습니다. 약 사십 분이 걸립니다.\n"
)

SAMPLES = [
    (GERMAN, "cp1252", "CP1252"),
    (GERMAN, "latin-1", "CP1252"),
    (FRENCH, "cp1252", "CP1252"),
    (FRENCH, "latin-1", "CP1252"),
    (ENGLISH, "cp1252", "CP1252"),
    (POLISH, "cp1250", "CP1250"),
    (RUSSIAN, "cp1251", "CP1251"),
    (RUSSIAN, "koi8-r", "KOI8-R"),
    (JAPANESE, "shift_jis", "CP932"),
    (JAPANESE, "euc_jp", "EUC-JP"),
    (CHINESE, "gb18030", "GB18030"),
    (CHINESE, "gbk", "GB18030"),
    (KOREAN, "cp949", "CP949"),
    (ENGLISH, "utf-16-le", "UTF-16LE"),
    (GERMAN, "utf-16-be", "UTF-16BE"),
    (JAPANESE, "utf-16-le", "UTF-16LE"),
    (CHINESE, "utf-16", "UTF-16"),
    (RUSSIAN, "utf-32", "UTF-32"),
]


@pytest.mark.parametrize("far", [0, 4000])
@pytest.mark.parametrize(("text", "encoding", "iconv"), SAMPLES)
def test_the_command_in_the_message_restores_the_text(text: str, encoding: str, iconv: str, far: int) -> None:
    text = "Ana: ok, next one.\n" * far + text
    data = text.encode(encoding)
    with pytest.raises(NotUtf8Error) as caught:
        decode(data, "my chat.txt")
    assert caught.value.remedy == f"Convert it: iconv -f {iconv} -t UTF-8 'my chat.txt' > 'my chat.utf8.txt'"
    program = shutil.which("iconv")
    if program:
        made = subprocess.run([program, "-f", iconv, "-t", "UTF-8"], input=data, capture_output=True, check=True)
        assert made.stdout.decode().lstrip("\ufeff") == text


def test_the_first_wrong_byte_is_named() -> None:
    with pytest.raises(NotUtf8Error) as caught:
        decode(b"fine\nstill fine\nM\xfcnchen ist sch\xf6n, gr\xfc\xdfe\n", "x.txt")
    assert caught.value.line == 3
    assert caught.value.message == "not UTF-8: byte 0xfc at offset 17; it looks like Windows-1252 (Latin-1)."


def test_bytes_of_no_text_have_no_command() -> None:
    assert looks_like(bytes(range(256)) * 20) is None
    with pytest.raises(NotUtf8Error, match=r"it looks like no text\. Save it as UTF-8\."):
        decode(bytes(range(256)) * 20, "x.bin")


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0")).filter(lambda text: not text.startswith("\ufeff"))
)
def test_utf8_is_read_with_and_without_mark(text: str) -> None:
    assert decode(text.encode()) == decode(text.encode("utf-8-sig")) == text


@given(st.binary(max_size=200))
def test_no_bytes_break_it(data: bytes) -> None:
    try:
        text = decode(data, "x")
    except NotUtf8Error as error:
        wrong = error
    else:
        assert text.encode() in (data, data[3:])
        return
    assert wrong.line >= 1
    assert wrong.remedy
