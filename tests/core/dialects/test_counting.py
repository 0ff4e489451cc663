"""Counting of tokens where nobody else does: how far it is from OpenAI's o200k.

The true counts were taken once with that vocabulary, by the package bpe-openai.
"""

import time

import pytest

from core.dialects.counting import count_text, estimate_bytes

TEXTS: dict[str, str] = {
    "prose": (
        "The lighthouse keeper had not spoken to anyone for eleven days when the supply boat finally rounded the "
        "headland. He watched it through the salt-streaked window, counting the crates on its deck, and thought "
        "about what he would say first. Most conversations, he had decided, begin with the weather because the "
        "weather never argues back. When the boat bumped against the pier he was already there, rope in hand, "
        "smiling a little too widely."
    ),
    "answer": (
        "Sure! Here's a quick summary of the differences:\n\n1. **Lists** are mutable, so you can append, remove, "
        "or reorder items in place.\n2. **Tuples** are immutable; once created, they can't be changed.\n3. Because "
        "tuples are hashable (when their contents are), you can use them as dictionary keys.\n\nIf you don't need "
        "to modify the collection, prefer a tuple. It signals intent and is slightly faster to create. Let me know "
        "if you'd like some benchmarks!"
    ),
    "python": (
        'def merge_sorted(left: list[int], right: list[int]) -> list[int]:\n    """Merges two sorted lists into '
        'one."""\n    result: list[int] = []\n    i = j = 0\n    while i < len(left) and j < len(right):\n      '
        "  if left[i] <= right[j]:\n            result.append(left[i])\n            i += 1\n        else:\n        "
        "    result.append(right[j])\n            j += 1\n    return result + left[i:] + right[j:]\n"
    ),
    "javascript": (
        "export async function fetchUser(id) {\n  const response = await fetch(`/api/users/${id}`, { headers: { "
        "Accept: 'application/json' } });\n  if (!response.ok) {\n    throw new Error(`request failed with status "
        "${response.status}`);\n  }\n  const { name, email, createdAt } = await response.json();\n  return { name, "
        "email, createdAt: new Date(createdAt) };\n}\n"
    ),
    "json": (
        '{"id": 4821, "status": "shipped", "items": [{"sku": "A-1009", "quantity": 2, "price": '
        '19.99}, {"sku": "B-2210", "quantity": 1, "price": 249.0}], "address": {"street": "12 Harbour '
        'Road", "city": "Leith", "postcode": "EH6 7DX"}, "paid": true, "notes": null}'
    ),
    "table": (
        "| region | q1 | q2 | q3 | q4 |\n|--------|-----|-----|-----|-----|\n| north | 1204 | 1310 | 1287 | 1402 "
        "|\n| south | 998 | 1045 | 1101 | 1190 |\n| east | 1530 | 1498 | 1605 | 1711 |\n| west | 720 | 765 | 801 | "
        "846 |\n"
    ),
    "german": (
        "Der Zug nach Freiburg hatte eine halbe Stunde Verspätung, und auf dem Bahnsteig sammelten sich immer mehr "
        "Reisende. Eine ältere Dame erzählte ihrem Enkel von früher, als die Lokomotiven noch mit Kohle geheizt "
        "wurden. Der Junge hörte aufmerksam zu, obwohl er eigentlich lieber mit seinem Telefon gespielt hätte."
    ),
    "french": (
        "Le marché du samedi matin attire toujours beaucoup de monde, surtout au printemps lorsque les premières "
        "fraises arrivent. Les commerçants interpellent les passants, proposent des morceaux de fromage à goûter "
        "et plaisantent avec leurs clients habituels. On y trouve aussi des fleurs, du miel et des légumes de "
        "saison."
    ),
    "spanish": (
        "La biblioteca del barrio abrió sus puertas hace cuarenta años, cuando todavía no existían los ordenadores "
        "personales. Hoy los estudiantes vienen a trabajar en silencio, mientras los mayores leen el periódico "
        "junto a la ventana. Cada jueves por la tarde hay un taller de escritura para niños."
    ),
    "russian": (
        "Осенью лес становится особенно тихим: птицы улетают на юг, листья падают на влажную землю, и только ветер "
        "иногда шумит в верхушках деревьев. Мы шли по узкой тропинке и разговаривали о том, как быстро прошло лето "
        "и что нужно успеть сделать до первого снега."
    ),
    "chinese": (
        "人工智能正在改变我们的工作和生活方式。越来越多的公司开始使用大型语言模型来回答客户的问题、撰写报告和分析数"
        "据。不过，如何保护用户的隐私仍然是一个重要的问题，需要政府、企业和研究人员共同努力。"
    ),
    "japanese": (
        "昨日は久しぶりに友人と会って、駅の近くの小さな喫茶店でゆっくり話しました。彼女は来月から大阪で新しい仕事を"
        "始めるそうです。少し寂しいですが、新しい生活がうまくいくように応援したいと思います。"
    ),
    "korean": (
        "지난 주말에 가족과 함께 바닷가에 다녀왔습니다. 날씨가 맑아서 아이들은 하루 종일 모래밭에서 놀았고, "
        "저녁에는 항구 근처 식당에서 신선한 생선을 먹었습니다. 다음에는 친구들도 함께 가기로 했습니다."
    ),
    "arabic": (
        "كانت المدينة القديمة تستيقظ ببطء مع شروق الشمس، وتفتح المتاجر أبوابها واحدا بعد الآخر. جلس الرجل العجوز "
        "أمام دكانه يشرب القهوة ويتحدث مع جيرانه عن أخبار السوق وأسعار الخضروات في هذا الموسم."
    ),
}

TOKENS = {
    "prose": 88,
    "answer": 101,
    "python": 103,
    "javascript": 86,
    "json": 101,
    "table": 97,
    "german": 71,
    "french": 64,
    "spanish": 55,
    "russian": 71,
    "chinese": 55,
    "japanese": 75,
    "korean": 64,
    "arabic": 58,
}


@pytest.mark.parametrize("kind", TEXTS)
def test_a_text_is_counted_within_15_percent(kind: str):
    assert abs(count_text(TEXTS[kind]) - TOKENS[kind]) <= 0.15 * TOKENS[kind]


def test_nothing_has_no_tokens():
    assert count_text("") == 0
    assert count_text("   ") == 0
    assert estimate_bytes(0) == 0


@pytest.mark.parametrize("text", ["a", "7", "é", "字", "か", "я", "?", "\n", "_", "😀"])
def test_whatever_there_is_has_a_token_at_least(text: str):
    assert count_text(text) == 1


def test_a_long_text_is_counted_by_samples():
    start = time.process_time()
    counted = count_text(TEXTS["prose"] * 20_000)
    assert time.process_time() - start < 1.0
    assert abs(counted - 20_000 * TOKENS["prose"]) <= 0.02 * 20_000 * TOKENS["prose"]


def test_a_number_of_bytes_is_taken_for_a_quarter_as_many_tokens():
    assert estimate_bytes(400) == 100
    assert estimate_bytes(401) == 101
