"""Normalised text: what is spoken, checked in the phonemes that the real voice makes of it."""

from __future__ import annotations

import re

import pytest

from inference.engines.speech.espeak.library import load_library
from inference.text.normalise import normalise


def spoken(text: str, language: str = "zh-CN") -> str:
    """The phonemes with tones, without stress and word ends."""
    voice = "cmn" if language == "zh-CN" else "en-us"
    return sounds(load_library().phonemes(normalise(text, language).text, voice))


def sounds(phonemes: str) -> str:
    return re.sub(r"[',_|! ]", "", phonemes)


# Each was misread by eSpeak without normalising, or must stay right with it.
@pytest.mark.parametrize(
    ("text", "phonemes"),
    [
        ("3.5元", "sa55ntiE214nwu214jy&35n"),  # 三点五元
        ("3.5%", "pai214f@55nts.i.55sa55ntiE214nwu214"),  # 百分之三点五
        ("100%", "pai214f@55nts.i.55ji51pai214"),  # 百分之一百
        ("2025年", "@r51li35N@r51wu214niE35n"),  # 二零二五年
        ("2021年", "@r51li35N@r51ji55niE35n"),  # 一 keeps its first tone
        ("10:30", "s.i.35tiE214nsa55ns.i.35f@55n"),  # 十点三十分
        ("2:05", "liA214NtiE214nli35Nwu214f@55n"),  # 两点零五分
        ("3:2", "sa55npi214@r51"),  # 三比二
        ("¥99.9", "tS;iou214s.i.35tS;iou214tiE214ntS;iou214jy&35n"),  # 九十九点九元
        ("99.9元", "tS;iou214s.i.35tS;iou214tiE214ntS;iou214jy&35n"),
        ("-5度", "fu51wu214tu51"),  # 负五度
        ("-5℃", "fu51wu214s.o-51s.i.51tu51"),  # 负五摄氏度
        ("3/4", "si[51f@55nts.i.55sa55n"),  # 四分之三
        # 幺三八 零零幺三 八零零零
        ("13800138000", "jAu55sa55npA55li35Nli35NjAu55sa55npA55li35Nli35Nli35N"),
        ("1.5倍", "ji51tiE214nwu214pei51"),  # 一点五倍
        ("1月5日", "ji55jyE51wu214z.i.51"),
        ("2025-11-20", "@r51li35N@r51wu214niE35ns.i.35ji55jyE51@r51s.i.35z.i.51"),
        ("满300减50", "ma214nsa55npai214tS;iE214nwu214s.i.35"),  # 满三百减五十
        ("3-5天", "sa55ntAu51wu214thiE55n"),  # 三到五天
        ("5kg", "wu214kong55tS;i55n"),  # 五公斤
        ("2个", "liA214Nko-11"),  # 两个
        # What stands on price tags: sizes, packs, days of sales.
        ("30x40cm", "sa55ns.i.35ts.h@35Nsi[51s.i.35li35mi214"),  # 三十乘四十厘米
        ("500ml*2瓶", "wu214pai214XAu35s.@55Nts.h@35NliA214Nphi35N"),  # 五百毫升乘两瓶
        ("618大促", "liou51ji55pA55tA51tshu51"),  # 六一八大促
        ("618元", "liou51pai214ji51s.i.35pA55jy&35n"),  # a price stays a price
        ("12.12返场", "s.wA55Ns.i.35@r51fa214nts.hA214N"),  # 双十二返场
        ("排成一行", "phai35ts.h@35Nji51XA35N"),  # háng, and yì before it
        ("长大", "ts.A214NtA51"),  # zhǎng dà
        ("他还钱了", "thA55Xua35ntS;hiE35nl@11"),  # huán qián
        ("还有", "Xai35jiou214"),  # hái yǒu stays
        ("倒计时", "tAu51tS;i51s.i.35"),  # dào
        ("熊猫", "S;ong35mAu55"),  # eSpeak has no syllable xiong
        ("一点儿", "ji51tiE214n@r11"),  # nor most words with the suffix 儿
        ("女儿", "ny214@r35"),
    ],
)
def test_chinese_is_spoken_as_written_out(text: str, phonemes: str) -> None:
    assert spoken(text) == phonemes


@pytest.mark.parametrize(
    ("word", "pinyin"),
    [
        ("便宜", "pian2yi5"),
        ("店长", "dian4zhang3"),
        ("还款", "huan2kuan3"),
        ("返还", "fan3huan2"),
        ("农行", "nong2hang2"),
        ("角色", "jue2se4"),
        ("重播", "chong2bo1"),
        ("地瓜", "di4gua1"),
        ("佛珠", "fo2zhu1"),
        ("回弹", "hui2tan2"),
        ("曝光", "bao4guang1"),
        ("削苹果", "xiao1ping2guo3"),
        ("藏青", "zang4qing1"),
        ("红参", "hong2shen1"),
        ("英雄", "ying1xong2"),
        ("兄弟", "xong1di4"),
        ("穷人", "qong2ren2"),
    ],
)
def test_words_of_doubtful_reading_sound_like_their_pinyin(word: str, pinyin: str) -> None:
    expected = sounds(load_library().phonemes(pinyin, "cmn"))

    # Tones are left out: eSpeak bends them by its own rules, otherwise in pinyin.
    assert re.sub(r"\d", "", spoken(word)) == re.sub(r"\d", "", expected)


@pytest.mark.parametrize(
    "text",
    [
        "时间长了",
        "这件长大衣",
        "好处长期都在",
        "还有还会",
        "都得到了",
        "觉得赶紧",
        "银行行长",
        "关系好",
        "强调温和",
        "空调温度",
        "慢慢地说",
        "轻轻地摊开",
        "仿佛",
        "收藏青花",
        "参加",
        "睡得香",
        "儿子和女儿",
        "款式新颖",
        "弹力",
        "重量",
    ],
)
def test_readings_that_are_right_already_stay(text: str) -> None:
    assert normalise(text, "zh-CN").text == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10%-20%", "百分之十到百分之二十"),
        ("10-20%", "百分之十到百分之二十"),
        ("10:00-12:00", "十点到十二点"),
        ("8:05:30", "八点零五分三十秒"),
        ("25:70", "二十五:七十"),
        ("¥1,299.50", "一千二百九十九点五零元"),
        ("¥3万", "三万元"),
        ("¥99元", "九十九元"),
        ("¥10-20", "十到二十元"),
        ("$5", "五美元"),
        ("5‰", "千分之五"),
        ("2025/1/5", "二零二五年一月五日"),
        ("2025-13-40", "两千零二十五-十三-四十"),
        ("2020-2025年", "二零二零到二零二五年"),
        ("3000年", "三千年"),
        ("400-800-1234", "四零零，八零零，幺二三四"),
        ("1080×1920", "一千零八十乘一千九百二十"),
        ("24/7", "二十四/七"),
        ("-3.5", "负三点五"),
        ("A-5", "A-五"),
        ("U盘32GB", "U盘三十二G B"),
        ("3+1=4", "三加一等于四"),
        ("第2名", "第二名"),
        ("5w粉", "五万粉"),
        ("007", "零零七"),
        ("好❤️😀吗", "好吗"),
    ],
)
def test_chinese_is_written_out(text: str, expected: str) -> None:
    assert normalise(text, "zh-CN").text == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("0", "零"),
        ("10", "十"),
        ("12", "十二"),
        ("110", "一百一十"),
        ("101", "一百零一"),
        ("1010", "一千零一十"),
        ("2000", "两千"),
        ("2200", "两千二百"),
        ("20000", "两万"),
        ("22000", "两万二千"),
        ("100000", "十万"),
        ("105000", "十万五千"),
        ("100005", "十万零五"),
        ("12345678", "一千二百三十四万五千六百七十八"),
        ("100000001", "一亿零一"),
        ("3000000000", "三十亿"),
        ("12345678901234", "yi1二三四五六七八九零yi1二三四"),
    ],
)
def test_chinese_counts(number: str, expected: str) -> None:
    assert normalise(f"共{number}。", "zh-CN").text == f"共{expected}。"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$5 and $1", "5 dollars and 1 dollar"),
        ("$1,299.99", "1299 dollars 99"),
        ("$5M", "5 million dollars"),
        ("$0.99", "99 cents"),
        ("£3.50", "3 pounds 50"),
        ("1/2 cup", "1 half cup"),
        ("3/4", "3 quarters"),
        ("24/7", "24 7"),
        ("in 1999, in 2025, in 1905, in 2005", "in 19 99, in 20 25, in 19 oh 5, in 2005"),
        ("about 1999 people", "about 1999 people"),
        ("No. 5", "number 5"),
        ("No. Never.", "No. Never."),
        ("Dr. Smith vs. Mr. Lee", "Doctor Smith versus Mister Lee"),
        ("5kg at 10 km/h", "5 kilograms at 10 kilometres an hour"),
        ("10-20 people", "10 to 20 people"),
        ("555-123-4567", "555-123-4567"),
        ("love ❤️ it 😀", "love  it "),
    ],
)
def test_english_is_written_out(text: str, expected: str) -> None:
    assert normalise(text, "en-US").text == expected


def test_positions_of_the_spoken_text_lead_back_to_the_original() -> None:
    text = "满300减50，好"

    given = normalise(text, "zh-CN")

    assert given.text == "满三百减五十，好"
    assert [given.source_position(i) for i in range(len(given.text))] == [0, 1, 1, 4, 5, 5, 7, 8]
    assert given.source_position(99) == 8
    assert given.source_position(-1) == 0


def test_dropped_symbols_do_not_move_the_positions_behind_them() -> None:
    given = normalise("😀😀你2个", "zh-CN")

    assert given.text == "你两个"
    assert given.sources == (2, 3, 4)


@pytest.mark.parametrize("text", ["", "  ", "❤️😀", "……！", "\u200b"])
def test_text_without_words_is_not_speakable(text: str) -> None:
    assert not normalise(text, "zh-CN").is_speakable
    assert not normalise(text, "en-US").is_speakable
