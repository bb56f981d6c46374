"""The words that short answers are written with: units, numbers, months, yes and no, and fillers."""

from __future__ import annotations

from fractions import Fraction

from moa_tui.engine.plain_spelling import without_accents

# A unit's dimension, how many of its base it is, and its spellings. Units of one dimension can be compared.
_TABLE: tuple[tuple[str, Fraction | int, str], ...] = (
    ("m", Fraction(1, 1000), "mm millimeter millimetre"),
    ("m", Fraction(1, 100), "cm centimeter centimetre"),
    ("m", 1, "m meter metre 米"),
    ("m", 1000, "km kilometer kilometre 公里 千米 км"),
    ("mi", 1, "mi mile 英里"),
    ("ft", 1, "ft foot feet"),
    ("in", 1, "in inch inche"),
    ("g", Fraction(1, 1000), "mg milligram"),
    ("g", 1, "g gram gramme 克"),
    ("g", 1000, "kg kilogram kilogramme kilo 公斤 千克 кг"),
    ("g", 1_000_000, "t tonne"),
    ("lb", 1, "lb pound"),
    ("l", Fraction(1, 1000), "ml milliliter millilitre"),
    ("l", 1, "l liter litre 升"),
    ("s", Fraction(1, 1000), "ms millisecond"),
    ("s", 1, "s sec second 秒"),
    ("s", 60, "min minute 分钟 分鐘"),
    ("s", 3600, "h hr hour 小时 小時"),
    ("day", 1, "d day tag 天"),
    ("day", 7, "week"),
    ("month", 1, "month"),
    ("month", 12, "y yr year 年"),
    ("%", Fraction(1, 100), "% percent prozent procent"),
    ("°", 1, "° degree deg"),
    ("°c", 1, "°c celsiu celsius °celsius °celsiu"),
    ("°f", 1, "°f fahrenheit °fahrenheit"),
    ("kelvin", 1, "k kelvin"),
    ("$", 1, "$ dollar usd us$"),
    ("€", 1, "€ euro eur"),
    ("£", 1, "£ gbp"),
    ("¥", 1, "¥ yen jpy"),
    ("km/h", 1, "km/h kph kmh"),
    ("mi/h", 1, "mi/h mph"),
    ("m/s", 1, "m/s"),
)
UNITS: dict[str, tuple[str, Fraction | int]] = {
    spelling: (dimension, factor) for dimension, factor, spellings in _TABLE for spelling in spellings.split()
}
"""By the spelling of a unit, its dimension and how many of the dimension's base it is."""

_PARTS = {
    "km": "kilometer kilometers kilometre kilometres",
    "mi": "mile miles",
    "m": "meter meters metre metres",
    "l": "liter liters litre litres",
    "h": "hour hours hr",
    "s": "second seconds sec secs",
    "min": "minute minutes mins",
    "°": "degree degrees deg",
    "/": "per pro",
    "": "of the",
}
UNIT_WORDS: dict[str, str] = {
    f"{spelling}s": spelling for spelling in UNITS if spelling.isalpha() and len(spelling) > 2
} | {word: short for short, words in _PARTS.items() for word in words.split()}
"""By a word of a unit's name, how that word is written in `UNITS`."""

_FIRST_NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty"
)
NUMBER_WORDS: dict[str, int] = {word: number for number, word in enumerate(_FIRST_NUMBERS.split())} | {
    **{"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90},
    **{"hundred": 100, "thousand": 1_000, "million": 10**6, "billion": 10**9, "trillion": 10**12},
}
"""The numbers that English words stand for."""
SCALES = {word: number for word, number in NUMBER_WORDS.items() if number >= 100} | {"dozen": 12}
"""The words behind a number that say how many of it there are."""

YES = {"yes", "yeah", "yep", "oui", "sí", "ja", "da", "да", "tak", "sim", "evet", "是", "是的", "对", "はい"}
YES |= {"예", "네", "نعم", "हाँ", "हां", "כן", "ναι", "vâng", "ya"}
NO = {"no", "nope", "non", "nein", "nee", "нет", "ні", "nie", "não", "hayır", "不", "不是", "否", "いいえ"}
NO |= {"아니요", "아니오", "لا", "नहीं", "לא", "όχι", "không", "tidak"}
YES |= {"true", "wahr", "vrai", "verdadero", "vero", "верно"}
NO |= {"false", "falsch", "faux", "falso", "неверно"}
YES, NO = ({without_accents(word) for word in words} for words in (YES, NO))
# What a thing is, beside its name; "city" is none of these, for Mexico City is not Mexico.
_KIND_NAMES = (
    "mount mt mountain lake river ocean desert planet mr mrs ms dr sir prof professor president king queen "
    "option number"
)
KINDS = {*_KIND_NAMES.split()}
FILLERS = {"the", "a", "an", "is", "it", "on", "of", "and", "in", "at", "answer"}
NEGATIONS = {"not", "no", "never", "none", "cannot", "without", "neither", "nor", "nicht", "kein", "pas"}
NEGATIONS |= {"non", "keine", "ne", "не", "нет"}
MONTHS = {
    without_accents(name): number
    for number, names in enumerate(
        (
            *("january jan januar janvier enero", "february feb februar février febrero"),
            *("march mar märz mars marzo", "april apr avril abril", "may mai mayo"),
            *("june jun juni juin junio", "july jul juli juillet julio", "august aug août agosto"),
            *("september sep sept septembre septiembre", "october oct oktober octobre octubre"),
            *("november nov novembre noviembre", "december dec dezember décembre diciembre"),
        ),
        1,
    )
    for name in names.split()
}

_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
    "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
)
OTHER_NAMES = {
    **dict.fromkeys(["united states of america", "united states", "us", "america"], "usa"),
    **dict.fromkeys(["united kingdom", "great britain"], "uk"),
    **{
        word: f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number, 'th') }"
        for number, word in enumerate(_ORDINALS.split(), 1)
    },
}
"""By a whole answer, the other spelling of it that stands for both."""
# "Paris, France" is Paris. Of the parts of a country none is here, since "Paris, Texas" is another Paris.
_COUNTRY_NAMES = (
    "afghanistan albania algeria andorra angola argentina armenia australia austria azerbaijan bahamas "
    "bahrain bangladesh barbados belarus belgium belize benin bhutan bolivia botswana brazil britain "
    "brunei bulgaria burundi cambodia cameroon canada chad chile china colombia congo costa_rica croatia "
    "cuba cyprus czechia czech_republic denmark djibouti ecuador egypt el_salvador england eritrea "
    "estonia ethiopia fiji finland france gabon gambia germany ghana great_britain greece guatemala "
    "guinea guyana haiti honduras hungary iceland india indonesia iran iraq ireland israel italy "
    "ivory_coast jamaica japan kazakhstan kenya kuwait kyrgyzstan laos latvia lebanon lesotho liberia "
    "libya liechtenstein lithuania madagascar malawi malaysia maldives mali malta mauritania mauritius "
    "mexico moldova mongolia montenegro morocco mozambique myanmar namibia nepal netherlands new_zealand "
    "nicaragua niger nigeria north_korea north_macedonia norway oman pakistan panama paraguay peru "
    "philippines poland portugal qatar romania russia rwanda samoa saudi_arabia scotland senegal serbia "
    "sierra_leone slovakia slovenia somalia south_africa south_korea south_sudan spain sri_lanka sudan "
    "suriname sweden switzerland syria taiwan tajikistan tanzania thailand togo tonga tunisia turkey "
    "turkmenistan uganda uk ukraine united_arab_emirates united_kingdom united_states uruguay us usa "
    "uzbekistan venezuela vietnam wales yemen zambia zimbabwe"
)
COUNTRIES = frozenset(name.replace("_", " ") for name in _COUNTRY_NAMES.split())
