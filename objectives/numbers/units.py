"""Spellings of units and of words that multiply a number."""

from __future__ import annotations

from typing import Final

UNITS: Final = {
    spelling: unit
    for unit, spellings in {
        "%": "% percent pct パーセント prozent",
        "ms": "ms msec millisecond milliseconds ミリ秒",
        "s": "s sec secs second seconds 秒 秒間 秒钟 秒鐘 sekunde sekunden seconde secondes segundo segundos",
        "min": "min mins minute minutes 分 分間 分钟 分鐘 minuten minuto minutos",
        "h": "h hr hrs hour hours 時間 小时 小時 个小时 個小時 std stunde stunden heure heures hora horas",
        "day": "d day days 日 日間 天 tage tagen jour jours dia dias",
        "week": "wk wks week weeks 週 週間 周 woche wochen semaine semaines semana semanas",
        "month": "month months か月 ヶ月 カ月 ヵ月 ケ月 箇月 か月間 ヶ月間 カ月間 个月 個月 monate monaten mois meses",
        "year": "yr yrs year years 年 年間 jahre jahren annees anos",
        "byte": "b byte bytes バイト",
        "kb": "kb kilobyte kilobytes キロバイト",
        "mb": "mb megabyte megabytes メガバイト",
        "gb": "gb gigabyte gigabytes ギガバイト",
        "tb": "tb terabyte terabytes テラバイト",
        "mm": "mm millimetre millimetres millimeter millimeters ミリメートル",
        "cm": "cm centimetre centimetres centimeter centimeters センチ センチメートル",
        "m": "m metre metres meter meters メートル",
        "km": "km kilometre kilometres kilometer kilometers キロメートル",
        "mi": "mi mile miles マイル",
        "g": "g gram grams グラム",
        "kg": "kg kilogram kilograms キログラム",
        "lb": "lb lbs",
        "mg": "mg milligram milligrams ミリグラム",
        "tonne": "tonne tonnes ton tons トン",
        "litre": "litre litres liter liters リットル",
        "gallon": "gallon gallons ガロン",
        "inch": "inch inches インチ",
        "foot": "foot feet フィート",
        "yard": "yard yards ヤード",
        "point": "point points ポイント",
        "degree": "degree degrees 度",
        "$": "$ usd dollar dollars ドル 美元",
        "€": "€ eur euro euros ユーロ 欧元 歐元",
        "£": "£ gbp pound pounds ポンド",
        "¥": "¥ jpy yen 円",
    }.items()
    for spelling in spellings.split()
}
"""Units by their spellings."""
JAPANESE_UNITS: Final = tuple(sorted((unit for unit in UNITS if not unit.isascii()), key=len, reverse=True))
"""Spellings that are more than one token, or that follow without a space; the longest first."""
CURRENCIES: Final = frozenset("$€£¥")
"""Signs that stand before their number."""
SCALES: Final = {
    "k": 1e3,
    "hundred": 1e2,
    "thousand": 1e3,
    "million": 1e6,
    "mn": 1e6,
    "billion": 1e9,
    "bn": 1e9,
    "trillion": 1e12,
    "tn": 1e12,
    "dozen": 12.0,
    "tausend": 1e3,
    "tsd": 1e3,
    "millionen": 1e6,
    "mio": 1e6,
    "millions": 1e6,
    "millones": 1e6,
    "milliarden": 1e9,
    "mrd": 1e9,
    "milliards": 1e9,
}
"""Words that multiply the number before them."""
SHORTENED: Final = frozenset(("tsd", "mio", "mrd"))
"""Those that a full stop follows: `3 Mio. €`."""
LETTERS: Final = {"m": 1e6, "b": 1e9}
"""Letters that are a unit or multiply, where they are written onto the number: `50m`."""
