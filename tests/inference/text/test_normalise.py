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
        ("25:70", "二十五比七十"),
        ("¥1,299.50", "一千二百九十九点五元"),
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
        ("24/7", "二十四，七"),
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
    ("text", "expected"),
    [
        # Prices.
        ("原价¥1,299.00，现价￥９９", "原价一千二百九十九元，现价九十九元"),
        ("199.90元，99.00元，2.00元", "一百九十九点九元，九十九元，两元"),
        ("¥100-¥200，¥1万-2万", "一百到二百元，一万到两万元"),
        ("HK$99，US$5，99¥，RMB99", "九十九港元，五美元，九十九元，九十九元"),
        ("9.9元/斤，¥5/kg，99元/月", "九点九元每斤，五元每公斤，九十九元每月"),
        ("满200-20，满50后再减", "满二百减二十，满五十后再减"),
        ("9块99，1米75，5块10个", "九块九九，一米七五，五块十个"),
        ("1̶9̶9̶元", "一百九十九元"),
        # Ranges stand behind words as well as at the beginning.
        ("大约3-5天，适合1-3岁", "大约三到五天，适合一到三岁"),
        ("每天2-3次，买2~3件", "每天两到三次，买两到三件"),
        ("11月11日-13日，9点-21点", "十一月十一日到十三日，九点到二十一点"),
        ("11月11-13日，1−3月", "十一月十一到十三日，一到三月"),
        ("2024/1/1-2024/1/5", "二零二四年一月一日到二零二四年一月五日"),
        ("-5~10℃，5-10kg", "负五到十摄氏度，五到十公斤"),
        # Two of something, and the second.
        ("第2件，第2个，第2-3名", "第二件，第二个，第二到三名"),
        ("2次，2元，2位，2次元", "两次，两元，两位，二次元"),
        # Times and ratios.
        ("时间：20:00", "时间：二十点"),
        ("比例9:16，2.5:1，1:100，3：2：1", "比例九比十六，二点五比一，一比一百，三比二比一"),
        ("80、90后，00后，5天后", "八零、九零后，零零后，五天后"),
        ("6·18，11·11，3.8节", "六yi1八，双十一，三八节"),
        # Figures that are names.
        ("138-0013-8000", "幺三八，零零幺三，八零零零"),
        ("+8613800138000", "加八六，幺三八，零零幺三，八零零零"),
        ("4001234567", "四零零，幺二三，四五六七"),
        ("拨打95588，QQ群12345，群500人", "拨打九五五八八，QQ群幺二三四五，群五百人"),
        ("321上链接，扣666，打88折", "三二yi1上链接，扣六六六，打八十八折"),
        ("V2.0.1", "V二点零点一"),
        ("No.1", "第一"),
        # Units in any case, of areas, volumes and speeds.
        ("5KG，30CM，100ML", "五公斤，三十厘米，一百毫升"),
        ("10m³，5㎏，20㎡，300g/m²", "十立方米，五公斤，二十平方米，三百克每平方米"),
        ("10000mAh，50Hz，98℉", "一万毫安时，五十赫兹，九十八华氏度"),
        ("5G，24K，65W+20W，10W+", "五G，二十四K，六十五瓦加二十瓦，十万加"),
        # Signs and characters that eSpeak names in English or spells by their code.
        ("①好②坏，Ⅲ代，1½杯", "一好二坏，三代，一又二分之一杯"),
        ("**重点**，#话题#，男/女", "重点，话题，男，女"),
        ("≥5，≈5，5±1，3²", "大于等于五，约五，五正负一，三的平方"),
        ("ＡＢＣ，⼤⽤户，𝐇𝐢，ﬁ", "ABC，大用户，Hi，fi"),
        ("𠮷野家，1️⃣号", "野家，一号"),
    ],
)
def test_what_stands_in_a_script_of_a_shop_is_read_as_it_is_meant(text: str, expected: str) -> None:
    assert normalise(text, "zh-CN").text == expected


@pytest.mark.parametrize("text", ["*重点*", "男/女", "5#", "@小王", "Ⅲ", "𠮷家", "ＡＢ", "↓好"])
def test_no_sign_is_named_in_english_or_by_its_code(text: str) -> None:
    heard = spoken(text)

    assert not re.search(r"ast@rIsk|slaS|haS|aroU|atsaIn|@:11", heard), heard


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
        ("555-123-4567", "5 5 5, 1 2 3, 4 5 6 7"),
        ("love ❤️ it 😀", "love  it "),
        ("$5-$10, $2 billion, 99¥", "5 to 10 dollars, 2 billion dollars, 99 yuan"),
        ("50%~80% off, ~5", "50 to 80% off, about 5"),
        ("1 1/2 cups, 1½", "1 and a half cups, 1 and a half"),
        ("12/25/2024, 2024-11-11", "December 25, 20 24, November 11, 20 24"),
        ("the 1990s, the '80s", "the 19 nineties, the 'eighties"),
        ("8:00, 8:00 p.m., 10:05", "8 o'clock, 8 p.m., 10 oh 5"),
        ("10:00-12:00, 12:00:30", "10 o'clock to 12 o'clock, 12:00:30"),
        ("2:1, 16:9", "2 to 1, 16 to 9"),
        ("1 kg, 5KG, 500g, 5G", "1 kilogram, 5 kilograms, 500 grams, 5G"),
        ("20m², 98℉, 30 min", "20 square metres, 98 degrees Fahrenheit, 30 minutes"),
        ("5 - 10 kg, 30x40 cm", "5 to 10 kilograms, 30 by 40 centimetres"),
        ("(800) 555-1234", "8 0 0, 5 5 5, 1 2 3 4"),
        ("13800138000", "1 3 8 0 0 1 3 8 0 0 0"),
        ("Main St. is near St. John", "Main Street is near Saint John"),
        ("w/ milk, w/o sugar, and/or", "with milk, without sugar, and or"),
        ("*bold* #sale → go", "bold sale  go"),
        ("Ⅲ ① ＡＢＣ", "3 1 ABC"),
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


def test_pinyin_in_the_text_forces_a_reading() -> None:
    assert spoken("他huan2钱") == sounds(load_library().phonemes("ta1huan2qian2", "cmn"))
    assert normalise("长xiong1di4", "zh-CN").text == "长xong1di4"
    assert normalise("nova5，mate4", "zh-CN").text == "nova五，mate四"


def test_plain_forms_lead_back_to_the_character_they_came_from() -> None:
    given = normalise("重1½斤，5㎏", "zh-CN")

    assert given.text == "重一又二分之一斤，五公斤"
    assert given.sources == (0, 1, 1, 1, 1, 1, 1, 3, 4, 5, 5, 5)


def test_dropped_symbols_do_not_move_the_positions_behind_them() -> None:
    given = normalise("😀😀你2个", "zh-CN")

    assert given.text == "你两个"
    assert given.sources == (2, 3, 4)


@pytest.mark.parametrize("text", ["", "  ", "❤️😀", "……！", "\u200b"])
def test_text_without_words_is_not_speakable(text: str) -> None:
    assert not normalise(text, "zh-CN").is_speakable
    assert not normalise(text, "en-US").is_speakable
