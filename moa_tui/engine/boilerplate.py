"""Sentences that models write around an answer and that state no point, in some fifteen languages."""

from __future__ import annotations

import re
from functools import cache

# The beginning of a sentence alone is looked at, and these many characters of it.
_LOOKED_AT = 240

_BEGINNINGS = (
    # English
    r"(?:sure|certainly|absolutely|of course|great question|good question|that's a|thanks for|"
    r"thank you|i hope|"
    r"hope (?:this|that|it)|let me know|feel free|don't hesitate|please (?:let me|feel free|"
    r"don't hesitate)|"
    r"here (?:is|are|'s)\b|here's|below (?:is|are|you)|the following (?:is|are)|in (?:summary|"
    r"conclusion|short)\b|"
    r"to (?:summari[sz]e|sum up|conclude)\b|overall,|as an? (?:ai|large language|language model)|"
    r"i(?:'m| am) (?:an ai|just an? ai|not a (?:doctor|lawyer|financial|medical|licensed))|i'd be happy|"
    r"happy to|i (?:can|could) (?:also )?(?:help|give|suggest|walk|tailor|provide|draft|show)|good luck|"
    r"enjoy (?:your|the)|bon app|would you like|if you(?:'d| would)? like,? (?:me|i)|"
    r"by following (?:these|this)|"
    r"with these (?:tips|steps)|happy \w+ing!|safe travels|let's (?:break|look|go|dive|walk)|"
    r"short answer)",
    # German
    r"(?:ich hoffe|gerne?\b|natürlich[!,]|klar[!,]|hier (?:ist|sind|findest|finden|ein)|"
    r"zusammenfassend|zusammengefasst|"
    r"insgesamt|als ki\b|viel (?:erfolg|spaß|glück)|lass(?:en sie)? (?:es )?mich wissen|"
    r"wenn (?:du|sie) (?:möchtest|willst|"
    r"möchten|wollen)|melde dich|sag (?:mir )?bescheid|gute frage|im folgenden)",
    # French
    r"(?:j['’]espère|bien sûr|voici|en résumé|en conclusion|pour résumer|en tant qu['’](?:ia|"
    r"intelligence)|bonne chance|"
    r"bon courage|n['’]hésite|si (?:vous|tu) (?:le )?(?:souhaite|voule|veux)|bonne question|"
    r"avec plaisir|bon voyage)",
    # Spanish and Portuguese
    r"(?:espero que|¡?claro|¡?por supuesto|aquí (?:tienes|están|te|hay|va)|en resumen|"
    r"en conclusión|como (?:una? )?ia\b|"
    r"¡?buena suerte|no dud(?:es|e)\b|si (?:quieres|necesitas|deseas)[^.]{0,80}(?:puedo|dime|"
    r"avís)|buena pregunta|"
    r"com certeza|aqui (?:está|estão|vai|tem)|em resumo|em conclusão|como (?:uma )?ia\b|"
    r"boa sorte|se (?:quiser|precisar))",
    # Italian, Dutch, Polish, Turkish
    r"(?:spero che|certo[!,]|certamente|ecco|in sintesi|in conclusione|in qualità di ia|"
    r"buona fortuna|se vuoi|"
    r"ik hoop|natuurlijk[!,]|hier (?:zijn|is|volgen)|samengevat|veel succes|laat (?:het )?me weten|"
    r"mam nadzieję|oczywiście|oto\b|podsumowując|powodzenia|daj znać|umarım|elbette|tabii|"
    r"işte\b|aşağıda|özetle|başka soru)",
    # Russian and Ukrainian
    r"(?:надеюсь|конечно|вот\b|ниже|подводя итог|в заключение|итак,|как (?:ии|языковая)|удачи|"
    r"дайте знать|"
    r"если (?:у вас|хотите|нужно)[^.]{0,80}(?:вопрос|скажите|напишите|могу)|сподіваюс|"
    r"звичайно|ось\b|підсум|успіхів)",
    # Chinese and Japanese
    r"(?:希望(?:这|以上|對|对|能)|当然|當然|以下[是为為]|下面是|总之|總之|"
    r"总的来说|综上|綜上|如果你?您?(?:还|還)?有[^。]{0,20}(?:问题|疑问|問題)|"
    r"作为一?个?(?:ai|人工智能)|祝[你您]|もちろん|以下[はにの]|"
    r"まとめ(?:ると|ます)|要するに|お役に立て|参考になれば|ご参考|何か(?:ご)?質問|頑張って)",
    # Korean, Arabic, Persian, Hindi, Thai
    r"(?:물론|다음은|아래는|도움이 되|요약하|결론적으로|궁금한|آمل|أتمنى|"
    r"بالطبع|بالتأكيد|إليك|فيما يلي|في الختام|باختصار|"
    r"لا تتردد|إذا كان لديك|امیدوارم|البته|در اینجا|आशा|ज़रूर|बिल्कुल|यहाँ|यहां|संक्षेप|"
    r"यदि आपके|หวังว่า|แน่นอน|ต่อไปนี้|"
    r"นี่คือ|โดยสรุป|สรุป|หาก(?:คุณ)?มีคำถาม|ขอให้)",
)
# Anywhere in a sentence: an offer or a question to the reader.
_OFFERS = (
    r"\b(?:let me know|tell me (?:more|your|what|which|if|how)|share (?:your|more|some|"
    r"the) [^.]{0,60}(?:i can|i'll|and i)|"
    r"i(?:'d| would) be (?:happy|glad)|i(?:'m| am) happy to|i can (?:help|tailor|refine|"
    r"adjust|give|suggest) |"
    r"happy to help|feel free to ask|sag mir|schreib mir|dites-moi|dis-moi|n['’]hésitez pas|"
    r"dime\b|avísame|"
    r"дайте знать|напишите мне|告诉我|教えてください|お知らせください|알려 주세요|أخبرني)"
)


def is_boilerplate(sentence: str) -> bool:
    """True for a sentence around an answer: a greeting, an offer, a wish, a summary, an introduction."""
    beginning = sentence[:_LOOKED_AT].lstrip("*_#> \t¡").replace("\u2019", "'").casefold()
    return _beginning().match(beginning) is not None or _offer().search(beginning) is not None


@cache
def _beginning() -> re.Pattern[str]:
    return re.compile("|".join(_BEGINNINGS))


@cache
def _offer() -> re.Pattern[str]:
    return re.compile(_OFFERS)
