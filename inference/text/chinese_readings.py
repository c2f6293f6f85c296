"""Characters that eSpeak's Mandarin voice reads wrongly, and how it must get them.

eSpeak accepts pinyin with a tone number inside Chinese text. Each rule matches the one character
in the company that makes it misread, as found by comparing its phonemes with a dictionary's pinyin.
"""

from __future__ import annotations

import re
from typing import Final

from inference.text.rewriting import Rule

# (pinyin, the character in its context)
_READINGS: Final = (
    ("pian2", r"便(?=宜)"),
    ("zhang3", r"长(?=大(?!衣)|[高胖肉痘斑出成牙]|个子|势)"),
    ("zhang3", r"(?<=[店馆台学处户警])长(?![期久远达度效途款])"),
    ("huan2", r"还(?=[钱贷账本]|款(?!式))|(?<=[没返送赔发])还"),
    ("dei3", r"(?<![觉值懂记显舍获变])得(?=加钱|赶紧|抓紧|赶快|快点)"),
    ("dei3", r"(?<=[都还])得(?![到了分奖意])"),
    ("hang2", r"行(?=家|货|话|规|距)|(?<=[农交建招商洋车])行(?![为动程])|(?<=一)行(?=字)"),
    ("hang2", r"(?<=[成第每]一)行(?![人为动程])"),
    ("yi4", r"(?<=[成每])一(?=行(?![人为动程]))"),
    ("hang2", r"(?<=拍卖)行|(?<=开户)行|(?<=入)行"),
    ("dao4", r"倒(?=计时)"),
    ("shi4", r"似(?=的)"),
    ("yong4", r"佣(?=金)"),
    ("yong1", r"(?<=雇)佣"),
    ("xiao1", r"削(?=[皮面铅]|苹果)"),
    ("bao1", r"剥(?=[皮壳虾蒜橘])"),
    ("juan3", r"卷(?=发)"),
    ("bo4", r"薄(?=荷)"),
    ("ji4", r"(?<![关联体派])系(?=[好紧绳带]|鞋带)"),
    ("di4", r"地(?=[瓜砖铺膜磅毡窖心]|价|摊(?!开))|(?<=[扫宝占房草])地"),
    ("fo2", r"(?<!仿)佛"),
    ("tan2", r"弹(?=钢琴|吉他|琴)|(?<=[回反])弹"),
    ("tiao2", r"(?<![强空单声基色])调(?=[光温档])|(?<=[上下])调(?![研查])"),
    ("bao4", r"曝(?=光)"),
    ("ma1", r"抹(?=布)"),
    ("zhao1", r"朝(?=霞)"),
    ("chai1", r"差(?=旅)"),
    ("jue2", r"角(?=色)"),
    ("cheng2", r"盛(?=[饭菜汤])"),
    ("zang4", r"(?<![收珍隐躲])藏(?=[蓝青药香])"),
    ("chong2", r"重(?=[播启聚合拍读])"),
    ("shen1", r"(?<=[红丽沙洋])参(?![加与考数])"),
    ("nian2", r"粘(?=稠)|(?<=不)粘(?=锅)"),
    ("qia3", r"卡(?=壳)|(?<=发)卡"),
    ("lao4", r"落(?=枕)"),
    ("bing3", r"屏(?=住|息)"),
    ("yue4", r"乐(?=[理感谱])"),
    ("jiao4", r"(?<=[睡一懒午])觉(?![得醒])"),
    # eSpeak spells the syllables xiong, qiong, jiong in English letters; these spellings it
    # speaks with the right sounds and tones.
    ("xong1", r"[凶兄胸汹匈]"),
    ("xong2", r"[熊雄]"),
    ("qong2", r"[穷琼穹茕邛]"),
    ("jong1", r"扃"),
    ("jong3", r"[囧窘迥炯]"),
    # Its dictionary spells most words with the suffix 儿 as English letters and digits.
    ("er5", r"(?<=[\u4e00-\u9fff])(?<![女婴幼少孤胎男健宠产])儿(?![子童女歌科媳时])"),
)
_GROUP_PREFIX: Final = "reading"
_ANY: Final = re.compile(
    "|".join(
        f"(?P<{_GROUP_PREFIX}{index}>{pattern})" for index, (_, pattern) in enumerate(_READINGS)
    )
)


def _reading(match: re.Match[str]) -> str:
    group = match.lastgroup or ""
    return _READINGS[int(group.removeprefix(_GROUP_PREFIX))][0]


READING_RULES: Final[tuple[Rule, ...]] = ((_ANY, _reading),)
