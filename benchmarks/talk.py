"""What presenters say while they are measured: plain sentences in both languages."""

from __future__ import annotations

from typing import Final

TALKS: Final = {
    "en-US": (
        "Please put the big blue paper box beside my umbrella.",
        "People may buy a cup of milk before the program begins.",
        "My mother baked a simple apple pie, and everybody liked it.",
        "Remember to bring both maps, because the path is not obvious.",
        "Bob promised to repair the pump by the middle of September.",
        "We compare many phones, and the cheap ones are not always bad.",
    ),
    "zh-CN": (
        "今天我们慢慢地比较八个不同的品牌。",
        "妈妈买了白面包、苹果和一瓶蓝莓果酱。",
        "朋友们不明白，为什么门票比平时便宜。",
        "请把背包放在门旁边，别忘了带宝贵的物品。",
        "爸爸跑步跑得很慢，但是每天坚持八百米。",
        "我们马上公布明天的节目表，敬请期待。",
    ),
}


def cues(language: str) -> list[dict[str, str]]:
    """One cue per sentence, for a rundown that loops."""
    return [{"text": text} for text in TALKS[language]]
